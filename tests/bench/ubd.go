package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"backplane/guest/kernel"
	"backplane/guest/rootfs"
)

// ubd is a kernel with User Mode Linux's own disk, which is a file of the host that the kernel itself reads and writes. A
// board cannot have one: the walls around it let it open no file.
type ubd struct {
	name string // in rows
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

// ubdInit carries out a line after another. What is said before READY is the kernel's.
const ubdInit = `#!/bin/sh
mount -t proc proc /proc; mount -t devtmpfs dev /dev
busybox stty -echo
echo READY
while read -r line; do out=$(load $line 2>&1) || out="failed: $out"; echo $out; done
`

// ubds starts both that there are, one whose disk is a copy of the raw image, and one with User Mode Linux's own copy on write
// over the image; none without [Options.UBD].
func (b *bench) ubds(raw, copied string) (list []*ubd, err error) {
	if !b.UBD {
		return nil, nil
	}
	image, err := b.Kernel(b.ctx, false, kernel.Recipe{Config: []kernel.Fragment{{File: "the benchmark's options", Text: []byte("CONFIG_BLK_DEV_UBD=y\n")}}})
	if err != nil {
		return nil, err
	}
	initrd := filepath.Join(b.dir, "ubd.cpio")
	f, err := os.Create(initrd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := rootfs.Pack(f, []string{b.root}, []rootfs.File{{Path: "/init", Mode: 0o755, Data: []byte(ubdInit)}, {Path: "/proc/.keep"}, {Path: "/dev/.keep"}}); err != nil {
		return nil, err
	}
	for _, d := range []struct{ name, disk string }{
		{"ubd", "ubd0d=" + copied},
		{"ubd's copy on write", "ubd0=" + filepath.Join(b.dir, "ubd.cow") + "," + raw},
	} {
		u := &ubd{name: d.name}
		if err := u.start(b, image.Path, initrd, d.disk); err != nil {
			return list, fmt.Errorf("%s: %w", u.name, err)
		}
		list = append(list, u)
	}
	return list, nil
}

// start boots the kernel, with as much memory as the board has to which it is compared.
func (u *ubd) start(b *bench, kernel, initrd, disk string) (err error) {
	u.cmd = exec.CommandContext(b.ctx, "unshare", "-Urpf", "--kill-child", kernel, "mem=96M", "seccomp=on", "con=none", "con0=fd:0,fd:1", "loglevel=1", "uml_dir="+b.dir, "initrd="+initrd, disk)
	if u.in, err = u.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := u.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	u.out = bufio.NewScanner(out)
	if err := u.cmd.Start(); err != nil {
		return err
	}
	var said strings.Builder
	for u.out.Scan() {
		if strings.TrimSpace(u.out.Text()) == "READY" {
			return nil
		}
		fmt.Fprintln(&said, u.out.Text())
	}
	u.end()
	return fmt.Errorf("its kernel has not come up: %s", tail(said.String()))
}

// load is what a load reaches, in MB/s.
func (u *ubd) load(l *diskLoad) (float64, error) {
	if _, err := fmt.Fprintln(u.in, strings.Join(l.args("/dev/ubda"), " ")); err != nil {
		return 0, err
	}
	if !u.out.Scan() {
		return 0, fmt.Errorf("%s: its kernel has ended", u.name)
	}
	return l.rate(u.out.Text(), nil)
}

func (u *ubd) end() {
	_ = u.in.Close()
	_ = u.cmd.Process.Kill() // and the kernel with it
	_ = u.cmd.Wait()         // it was killed
}
