package bench

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"backplane/guest"
	"backplane/guest/doctor"

	"golang.org/x/sys/unix"
)

// memory measures how long boards with much memory take to come up. Most of that goes into the kernel's page array, a
// 64th of the memory: the peer writes as many bytes with all CPUs into memory of the same kind.
func (b *bench) memory() error {
	for _, size := range []struct {
		gib int64
		aim float64 // s
	}{{4, 0}, {256, 5}, {1024, 15}} {
		array := size.gib << 30 / 64
		if free, ok := doctor.Available(); ok && free < uint64(array)+1<<30 {
			fmt.Fprintf(b.Out, "memory of %d GiB is left out: its page array does not fit into this machine's memory\n", size.gib)
			continue
		}
		here, peer := 0.0, 0.0
		for range 3 {
			begin := time.Now()
			r, err := b.start(false, 1, fmt.Sprintf("memory = \"%dG\"\nbacking = \"ram\"\n", size.gib), "")
			if err != nil {
				return err
			}
			here = least(here, time.Since(begin))
			if err := r.Close(); err != nil {
				return err
			}
			begin = time.Now()
			if err := write(array); err != nil {
				return err
			}
			peer = least(peer, time.Since(begin))
		}
		what := fmt.Sprintf("%d GiB: to the agent's hello (peer: ", size.gib)
		b.compare(what+"the limit)", here, peer, "s", atMost(1.5))
		if size.aim != 0 {
			b.compare(what+"the aim)", here, size.aim, "s", atMost(1))
		}
	}
	return nil
}

// least is the shorter time, in seconds; 0 is none.
func least(known float64, now time.Duration) float64 {
	if known == 0 {
		return now.Seconds()
	}
	return min(known, now.Seconds())
}

// write writes so many bytes, a whole number for each CPU, to memory like a board's, with all CPUs.
func write(size int64) error {
	f, err := guest.RAM.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	_ = unix.Madvise(memory, unix.MADV_HUGEPAGE) // as boards have it, if the host does
	var all sync.WaitGroup
	for part, cpus := 0, runtime.NumCPU(); part < cpus; part++ {
		mine := memory[len(memory)*part/cpus : len(memory)*(part+1)/cpus]
		all.Go(func() {
			for i := range mine {
				mine[i] = 1
			}
		})
	}
	all.Wait()
	return unix.Munmap(memory)
}
