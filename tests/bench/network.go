package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"backplane/guest/rootfs"
)

// network measures TCP and ping between two boards in real time, and the same
// between two kernels on Linux taps and a bridge.
func (b *bench) network() error {
	tcp, ping, err := b.ours()
	if err != nil {
		return err
	}
	peerTCP, peerPing, err := b.taps()
	if err != nil {
		fmt.Fprintf(b.Out, "no taps and bridge to compare with: %v\n", err)
	}
	b.row("TCP between two boards, real (peer: taps)", tcp/1e9, peerTCP/1e9, "Gbit/s")
	b.row("ping, real (peer: taps)", ping, peerPing, "ms")
	return nil
}

const (
	tcpSeconds = "6"
	pings      = "300"
)

func (b *bench) ours() (tcp, ping float64, err error) {
	board := fmt.Sprintf(`
memory = "128M"
[firmware]
rootfs = [%q]
args = "loglevel=4"
[[ethernet]]
name = "eth0"
address = "ADDRESS"
`, b.root)
	r, err := b.start(false, 2, board, "[[segment]]\nname = \"lan\"\nports = [\"b0.eth0\", \"b1.eth0\"]\n")
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	wait, err := b.command(r, "b0", "ping", "-q", "-c", pings, "-i", "0.01", "10.0.0.2")
	if err != nil {
		return 0, 0, err
	}
	out, err := wait()
	if err != nil {
		return 0, 0, err
	}
	if ping, err = average(out); err != nil {
		return 0, 0, err
	}
	if _, err = b.command(r, "b1", "iperf3", "-s", "-1"); err != nil {
		return 0, 0, err
	}
	if _, err = r.Advance(b.ctx, r.Now().Add(300*time.Millisecond), nil); err != nil {
		return 0, 0, err
	}
	if wait, err = b.command(r, "b0", "iperf3", "-J", "-c", "10.0.0.2", "-t", tcpSeconds); err != nil {
		return 0, 0, err
	}
	if out, err = wait(); err != nil {
		return 0, 0, err
	}
	tcp, err = received(out)
	return tcp, ping, err
}

var pingAverage = regexp.MustCompile(`= [0-9.]+/([0-9.]+)/`)

// average is the mean round trip of a ping in milliseconds.
func average(out string) (float64, error) {
	m := pingAverage.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("ping: no round-trip times in %q", out)
	}
	return strconv.ParseFloat(m[1], 64)
}

// received is what iperf3's receiver got, in bits a second.
func received(out string) (float64, error) {
	var report struct {
		End struct {
			SumReceived struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if i := strings.IndexByte(out, '{'); i >= 0 {
		out = out[i:]
	}
	err := json.NewDecoder(strings.NewReader(out)).Decode(&report)
	return report.End.SumReceived.BitsPerSecond, err
}

// peerInit is process 1 of the peer's kernels: the first argument says which of the two.
const peerInit = `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ip link set lo up
ip link set vec0 up
ip addr add 10.0.0.$n/24 dev vec0
if [ $n = 1 ]; then
	sleep 1
	/bin/ping -q -c ` + pings + ` -i 0.01 10.0.0.2
	iperf3 -J -c 10.0.0.2 -t ` + tcpSeconds + `
else
	iperf3 -s -1
fi
sync
poweroff -f
`

// taps runs two kernels with UML's own vector NIC on taps and a bridge, in
// namespaces of their own.
func (b *bench) taps() (tcp, ping float64, err error) {
	kernel, err := b.Kernel(b.ctx, true, nil)
	if err != nil {
		return 0, 0, err
	}
	initrd := filepath.Join(b.dir, "peer.cpio")
	f, err := os.Create(initrd)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	if err := rootfs.Pack(f, []string{b.root}, []rootfs.File{{Path: "/init", Mode: 0o755, Data: []byte(peerInit)},
		{Path: "/proc/.keep"}, {Path: "/sys/.keep"}, {Path: "/dev/.keep"}, {Path: "/tmp/.keep"}}); err != nil {
		return 0, 0, err
	}
	script := `set -e
ip link add br0 type bridge && ip link set br0 up
for n in 1 2; do
	ip tuntap add dev t$n mode tap && ip link set t$n master br0 && ip link set t$n up
	mkdir -p ` + b.dir + `/p$n
done
run() { ` + kernel + ` mem=128M uml_dir=` + b.dir + `/p$1 umid=u initrd=` + initrd + ` con=null con0=null,fd:1 loglevel=1 n=$1 vec0:transport=tap,ifname=t$1,depth=128,gro=1; }
run 2 >/dev/null 2>&1 </dev/null &
run 1 </dev/null
wait`
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "-Urmpnf", "--kill-child", "sh", "-c", script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, tail(out.String()))
	}
	text := out.String()
	if ping, err = average(text); err != nil {
		return 0, 0, err
	}
	_, after, _ := strings.Cut(text, "min/avg/max")
	if tcp, err = received(after); err != nil {
		return 0, 0, fmt.Errorf("iperf3: %w in %s", err, tail(text))
	}
	return tcp, ping, nil
}

func tail(s string) string { return s[max(0, len(s)-500):] }

// makeRoot puts busybox, iperf3, ping and load into a root file system.
func (b *bench) makeRoot() error {
	bin := filepath.Join(b.root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for _, applet := range strings.Fields("sh mount ip sleep poweroff sync echo cat") {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	for name, path := range map[string]string{"busybox": "busybox", "load": b.Load, "iperf3": "iperf3", "ping": "ping"} {
		found, err := exec.LookPath(path)
		if err != nil {
			return fmt.Errorf("%w: tools/packages installs what benchmarks need", err)
		}
		if err := copyFile(found, filepath.Join(bin, name)); err != nil {
			return err
		}
		out, err := exec.Command("ldd", found).Output()
		if err != nil {
			continue // it is static
		}
		for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
			if err := copyFile(m[1], filepath.Join(b.root, m[1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
