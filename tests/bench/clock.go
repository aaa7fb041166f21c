package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"backplane/boards/appliance"
	"backplane/guest/kernel"
	"backplane/guest/rootfs"
)

// wakeBoard is a small board with nothing but the benchmark's root file system.
func (b *bench) wakeBoard(more string) string {
	return fmt.Sprintf("memory = \"32M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n%s", b.small, more)
}

const ethernet = "[[ethernet]]\nname = \"eth0\"\naddress = \"ADDRESS\"\n"

// lan puts the first port of n boards on one segment.
func lan(n int, more string) string {
	ports := make([]string, n)
	for i := range ports {
		ports[i] = fmt.Sprintf("%q", fmt.Sprintf("b%d.eth0", i))
	}
	return fmt.Sprintf("[[segment]]\nname = \"lan\"\n%s\nports = [%s]\n", more, strings.Join(ports, ", "))
}

// The run that issue and documentation compare: boards that wake up 1000 times
// a second for that long.
const (
	wakeTime   = 10500 * time.Millisecond
	wakePeriod = time.Millisecond
)

// clock measures what it costs that boards wake up, beside usfstl's calendar,
// and what it costs when there are many or they have little to do.
func (b *bench) clock() error {
	for _, part := range []func() error{b.besideUsfstl, b.many, b.idle} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) besideUsfstl() error {
	const n = 10
	var pinned, free float64
	if b.Usfstl != "" {
		var err error
		if pinned, err = b.usfstl(n, true); err != nil {
			return err
		}
		if free, err = b.usfstl(n, false); err != nil {
			return err
		}
		b.row(fmt.Sprintf("usfstl: %d boards waking 1000/s, any core", n), free, pinned, "s")
	}
	for _, link := range []struct {
		what, board, links string
		goal               aim
	}{
		{"no link", "", "", aim{}},
		{"1 ms delay", ethernet, lan(n, "latency = \"1ms\""), atMost(1. / 3)},
		{"50 us delay", ethernet, lan(n, "latency = \"50us\""), atMost(1 / 1.5)},
	} {
		wall, err := b.wake(n, wakePeriod, wakeTime, b.wakeBoard(link.board), link.links)
		if err != nil {
			return err
		}
		b.compare(fmt.Sprintf("%d boards waking 1000/s for 10.5 s, %s", n, link.what), wall.Seconds(), pinned, "s", link.goal)
	}
	return nil
}

// many measures whether a wake-up costs as much among 100 boards as between two,
// and how much memory the host gives to 100, its page cache included.
func (b *bench) many() error {
	const period, simulated = 100 * time.Millisecond, 60 * time.Second
	wake := func(n int) (wall, memory float64, err error) {
		before, err := freeMemory()
		if err != nil {
			return 0, 0, err
		}
		r, err := b.waking(n, period, b.wakeBoard(ethernet), lan(n, "latency = \"1ms\""))
		if err != nil {
			return 0, 0, err
		}
		defer r.Close()
		took, err := b.advance(r, simulated)
		if err != nil {
			return 0, 0, err
		}
		after, err := freeMemory()
		return took.Seconds(), before - after, err
	}
	each := func(wall float64, n int) float64 { return wall / float64(n) / float64(simulated/period) * 1e6 }
	two, _, err := wake(2)
	if err != nil {
		return err
	}
	hundred, memory, err := wake(100)
	if err != nil {
		return err
	}
	b.compare("100 boards waking 10/s for 60 s (peer: real time)", hundred, simulated.Seconds(), "s", atMost(1))
	b.compare("a wake-up among 100 boards (peer: between 2)", each(hundred, 100), each(two, 2), "us", atMost(1.5))
	b.compare("memory of 100 boards of 32 MiB (peer: the aim)", memory, 6, "GiB", atMost(1))
	return nil
}

// freeMemory is what the host has left that is used for nothing at all, in GiB.
func freeMemory() (float64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "MemFree:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, fmt.Errorf("read free memory: %w", err)
	}
	return kib / (1 << 20), nil
}

// idle measures boards that have next to nothing to do. The peer is the aim.
func (b *bench) idle() error {
	const n, part = 20, 20
	const latency = "latency = \"1ms\""
	r, err := b.beating(n, lan(n, latency))
	if err != nil {
		return err
	}
	defer r.Close()
	wall, err := b.advance(r, 24*time.Hour/part)
	if err != nil {
		return err
	}
	b.compare("a day of 20 boards with heartbeats (a 20th, times 20)", wall.Seconds()*part, 60, "s", atMost(1))

	two, err := b.start(true, 2, b.wakeBoard(ethernet), lan(2, latency))
	if err != nil {
		return err
	}
	defer two.Close()
	if wall, err = b.advance(two, time.Hour); err != nil {
		return err
	}
	b.compare("an hour of two idle boards", wall.Seconds(), 1, "s", atMost(1))
	return nil
}

// beating starts n boards that each send the next one a heartbeat a second.
func (b *bench) beating(n int, links string) (*appliance.Running, error) {
	return b.pulsing(n, b.wakeBoard(ethernet), links, func(i int) []string {
		return []string{"1000000000", "100000000", fmt.Sprintf("10.0.0.%d", (i+1)%n+1)}
	})
}

// wake lets n boards wake up once a period for some simulated time, and returns
// how long that took.
func (b *bench) wake(n int, period, simulated time.Duration, board, links string) (time.Duration, error) {
	r, err := b.waking(n, period, board, links)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return b.advance(r, simulated)
}

// waking starts n boards that wake up once a period.
func (b *bench) waking(n int, period time.Duration, board, links string) (*appliance.Running, error) {
	return b.pulsing(n, board, links, func(int) []string { return []string{fmt.Sprint(period.Nanoseconds()), "100000000"} })
}

// pulsing starts n boards that run pulse, each with its own arguments.
func (b *bench) pulsing(n int, board, links string, args func(i int) []string) (*appliance.Running, error) {
	r, err := b.start(true, n, board, links)
	if err != nil {
		return nil, err
	}
	for i := range n {
		if _, err = b.command(r, fmt.Sprintf("b%d", i), append([]string{"pulse"}, args(i)...)...); err != nil {
			break
		}
	}
	if err == nil {
		_, err = b.advance(r, 3*time.Second) // until all of them run
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// advance lets time pass and returns how long that took.
func (b *bench) advance(r *appliance.Running, simulated time.Duration) (time.Duration, error) {
	begin := time.Now()
	_, err := r.Advance(b.ctx, r.Now().Add(simulated), nil)
	return time.Since(begin), err
}

// usfstl lets n kernels wake up 1000 times a second under usfstl's calendar, on
// one CPU or where the host wants them, and returns how many seconds that took
// beyond booting and powering off.
func (b *bench) usfstl(n int, pinned bool) (float64, error) {
	boot, err := b.usfstlRun(n, 1, pinned)
	if err != nil {
		return 0, err
	}
	whole, err := b.usfstlRun(n, int(wakeTime/wakePeriod), pinned)
	return (whole - boot).Seconds(), err
}

func (b *bench) usfstlRun(n, wakes int, pinned bool) (time.Duration, error) {
	image, err := b.Kernel(b.ctx, true, kernel.Recipe{})
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp(b.dir, "usfstl-")
	if err != nil {
		return 0, err
	}
	initrd := filepath.Join(dir, "initrd.cpio")
	f, err := os.Create(initrd)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	init := fmt.Sprintf("#!/bin/sh\npulse %d %d\npoweroff -f\n", wakePeriod.Nanoseconds(), wakes)
	if err := rootfs.Pack(f, []string{b.small}, []rootfs.File{{Path: "/init", Mode: 0o755, Data: []byte(init)}}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Minute)
	defer cancel()
	command := func(name string, args ...string) *exec.Cmd {
		if pinned {
			args = append([]string{"-c", "0", name}, args...)
			name = "taskset"
		}
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		return cmd
	}
	sock := filepath.Join(dir, "time.sock")
	controller := command(b.Usfstl, "--time="+sock, fmt.Sprintf("--clients=%d", n))
	var said bytes.Buffer
	controller.Stdout, controller.Stderr = &said, &said
	if err := controller.Start(); err != nil {
		return 0, fmt.Errorf("usfstl: %w", err)
	}
	defer func() {
		_ = controller.Process.Kill()
		_ = controller.Wait()
	}()
	for {
		if _, err := os.Stat(sock); err == nil {
			break
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("usfstl: no socket: %s", said.String())
		}
		runtime.Gosched()
	}
	begin := time.Now()
	var all sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		all.Go(func() {
			out, err := command(image.Path, "mem=32M", "uml_dir="+dir, fmt.Sprintf("umid=u%d", i), "initrd="+initrd,
				"seccomp=on", "con=null", "con0=null,fd:1", "loglevel=1", "time-travel=ext:"+sock).CombinedOutput()
			if err != nil {
				errs <- fmt.Errorf("usfstl: kernel: %w: %s", err, tail(string(out)))
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return time.Since(begin), nil
	}
}
