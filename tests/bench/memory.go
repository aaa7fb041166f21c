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

// MemorySizes are those of boards whose boot is measured, in GiB.
var MemorySizes = []int64{4, 256, 1024}

// memoryAims are how long the boot of such boards is to take, in s.
var memoryAims = map[int64]float64{256: 5, 1024: 15}

// memory measures how long boards with much memory take to come up. Most of that goes into the kernel's page array, a
// 64th of the memory: the peer writes as many bytes with all CPUs into memory of the same kind.
func (b *bench) memory() error {
	sizes := b.Memory
	if len(sizes) == 0 {
		sizes = MemorySizes
	}
	for _, gib := range sizes {
		array := gib << 30 / 64
		if free, ok := doctor.Available(); ok && free < uint64(array)+1<<30 {
			fmt.Fprintf(b.Out, "memory of %d GiB is left out: its page array does not fit into this machine's memory\n", gib)
			continue
		}
		here, peer := 0.0, 0.0
		for begin, round := time.Now(), 0; round < 3 && time.Since(begin) < memoryPatience; round++ {
			took, err := b.bootOf(false, 1, fmt.Sprintf("memory = \"%dG\"\nbacking = \"ram\"\n", gib))
			if err != nil {
				return err
			}
			here = least(here, took)
			begin := time.Now()
			if err := write(array); err != nil {
				return err
			}
			peer = least(peer, time.Since(begin).Seconds())
		}
		what := fmt.Sprintf("%d GiB: to the agent's hello (peer: ", gib)
		b.compare(what+"the limit)", here, peer, "s", atMost(1.5))
		if aim := memoryAims[gib]; aim != 0 {
			b.compare(what+"the aim)", here, aim, "s", atMost(1))
		}
	}
	return nil
}

// memoryPatience is how long a size is measured before no further round begins.
const memoryPatience = 2 * time.Minute

// least is the shorter time; 0 is none.
func least(known, now float64) float64 {
	if known == 0 {
		return now
	}
	return min(known, now)
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
