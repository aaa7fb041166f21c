package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"backplane/guest/rootfs"
	"backplane/tests/debian"
)

// qemu is the smallest machine that QEMU has, with Debian's kernel and a busybox.
type qemu struct{ kernel, initrd string }

// qemuMemory is the least with which that kernel unpacks itself, in MiB; with 64 it does not.
const qemuMemory = 80

// qemuInit says a word when it runs, and rests.
const qemuInit = "#!/bin/sh\necho READY\nexec sleep 1000000\n"

func (b *bench) newQEMU() (*qemu, error) {
	kernel, err := debian.Kernel()
	if err != nil {
		return nil, err
	}
	root := filepath.Join(b.dir, "qemu")
	if err := makeRoot(root, map[string]string{"busybox": "busybox"}); err != nil {
		return nil, err
	}
	q := &qemu{kernel, filepath.Join(b.dir, "qemu.cpio")}
	f, err := os.Create(q.initrd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return q, rootfs.Pack(f, []string{root}, []rootfs.File{{Path: "/init", Mode: 0o755, Data: []byte(qemuInit)}, {Path: "/dev/.keep"}})
}

// machine is one that runs.
type machine struct{ cmd *exec.Cmd }

// boot starts one, and tells how long it took to its init. There is no KVM: it emulates.
func (q *qemu) boot(ctx context.Context) (*machine, time.Duration, error) {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-M", "microvm,acpi=off", "-m", fmt.Sprint(qemuMemory),
		"-kernel", q.kernel, "-initrd", q.initrd, "-append", "console=ttyS0 quiet", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("%w: tools/packages installs it", err)
	}
	m := &machine{cmd}
	late := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "READY") {
			return m, time.Since(begin), nil
		}
	}
	m.end()
	return nil, 0, fmt.Errorf("QEMU's machine has not come up: %v", cmd.ProcessState)
}

func (m *machine) end() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait() // it was killed
}

// memory is what each of two machines at rest has of the host's memory, in MiB.
func (q *qemu) memory(ctx context.Context) (mib float64, err error) {
	const n = 2
	var machines []*machine
	for range n {
		m, _, err := q.boot(ctx)
		if err != nil {
			return 0, err
		}
		defer m.end()
		machines = append(machines, m)
	}
	time.Sleep(settle)
	for _, m := range machines {
		one, err := memoryOf(m.cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		mib += one / n
	}
	return mib, nil
}
