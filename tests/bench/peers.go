package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"backplane/guest/kernel"
	"backplane/guest/rootfs"
)

// peer is another way to join kernels: User Mode Linux's own vector NIC on
// something of the host's.
type peer struct {
	name     string
	programs []string // what it needs on the host
	setup    string   // shell: what joins kernels $all
	nic      string   // shell: the argument of kernel $1
	// What we are to be, beside it.
	tcp, ping, frames aim
}

// peers are the same kernel, and NICs with the parameters that were found to be fastest.
var peers = []peer{{
	name: "taps", programs: []string{"unshare", "ip"},
	setup: `ip link add br0 type bridge
ip link set br0 up
for n in $all; do ip tuntap add dev t$n mode tap; ip link set t$n master br0; ip link set t$n up; done`,
	nic: "vec0:transport=tap,ifname=t$1,depth=128,gro=1",
	tcp: atLeast(2), ping: atMost(0.8), frames: atLeast(3),
}, {
	name: "VDE", programs: []string{"unshare", "vde_switch", "vde_plug"},
	setup: `vde_switch -d -s $dir/switch
until [ -e $dir/switch/ctl ]; do :; done`,
	nic: "vec0:transport=vde,vnl=vde://$dir/switch,depth=128,gro=1",
	tcp: atLeast(5),
}}

// peerInit is process 1 of a peer's kernel, which is told its number n and what to measure.
const peerInit = `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ip link set lo up
ip link set vec0 up
ip addr add 10.0.0.$n/24 dev vec0
case $n in
1|3) sh /bin/client 10.0.0.$((n + 1)) $which;;
*) sh /bin/server $which;;
esac
sync
poweroff -f
`

// peer measures between pairs of kernels in namespaces of their own, which need no root.
func (b *bench) peer(p peer, pairs int, all bool) (t traffic, err error) {
	for _, program := range p.programs {
		if _, err := exec.LookPath(program); err != nil {
			return t, fmt.Errorf("%w: tools/packages installs it", err)
		}
	}
	image, err := b.Kernel(b.ctx, true, kernel.Recipe{}) // the vector NIC crashes the flavour for several CPUs
	if err != nil {
		return t, err
	}
	dir, err := os.MkdirTemp(b.dir, "peer-")
	if err != nil {
		return t, err
	}
	initrd := filepath.Join(dir, "initrd.cpio")
	if err := b.packPeer(initrd); err != nil {
		return t, err
	}
	numbers := strings.Fields("1 2 3 4")[:2*pairs]
	script := fmt.Sprintf(`set -e
dir=%s all="%s"
%s
run() {
	mkdir $dir/p$1
	%s mem=128M uml_dir=$dir/p$1 umid=u initrd=%s con=null con0=null,fd:1 loglevel=1 n=$1 which=%s %s </dev/null >$dir/out$1 2>&1
}
guests=
for n in $all; do run $n & guests="$guests $!"; done
wait $guests
`, dir, strings.Join(numbers, " "), p.setup, image.Path, initrd, which(all), p.nic)
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "-Urmpnf", "--kill-child", "sh", "-c", script)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return t, fmt.Errorf("%w: %s", err, tail(said.String()))
	}
	for i := 0; i < len(numbers); i += 2 {
		var out [2][]byte
		for j := range out {
			if out[j], err = os.ReadFile(filepath.Join(dir, "out"+numbers[i+j])); err != nil {
				return t, err
			}
		}
		if err := t.add(string(out[0]), string(out[1]), all); err != nil {
			return t, err
		}
	}
	return t, nil
}

// packPeer makes the initramfs of a peer's kernels.
func (b *bench) packPeer(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return rootfs.Pack(f, []string{b.root}, []rootfs.File{{Path: "/init", Mode: 0o755, Data: []byte(peerInit)},
		{Path: "/proc/.keep"}, {Path: "/sys/.keep"}, {Path: "/dev/.keep"}, {Path: "/tmp/.keep"}})
}
