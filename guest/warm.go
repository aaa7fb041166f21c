package guest

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A kernel's page array has 64 bytes for each page of memory, and is the first that it writes to: at the end of its
// memory, where it allocates from first (Linux mm/mm_init.c, alloc_node_mem_map; mm/memblock.c). One CPU does that,
// page fault by page fault.
const (
	arrayPart = 64
	arrayRest = 32 << 20 // what the kernel may have allocated before it
	warmFrom  = 64 << 20 // a smaller array takes one CPU little time
	warmChunk = 32 << 20
	hugePage  = 2 << 20
)

// warm has all of the host's CPUs at once give the page array of a kernel with that much memory its pages; with less, it
// gives huge pages to all that is written to at boot. Without it all is slower, and right all the same.
func warm(memory *os.File, size int64, backing Backing) {
	if size/arrayPart < warmFrom {
		if backing != File {
			warmBoot(memory, size)
		}
		return
	}
	begin := (size - size/arrayPart - arrayRest) &^ (warmChunk - 1)
	if memory.Truncate(size) != nil {
		return
	}
	array, err := mapAligned(memory, begin, int(size-begin))
	if err != nil {
		return
	}
	defer func() { _ = unix.MunmapPtr(unsafe.Pointer(&array[0]), uintptr(len(array))) }()
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		all.Go(func() {
			for {
				at := next.Add(warmChunk) - warmChunk
				if at >= int64(len(array)) || !populate(array[at:min(at+warmChunk, int64(len(array)))], backing) {
					return
				}
			}
		})
	}
	all.Wait()
}

// mapAligned maps a part of a file where huge pages can be.
func mapAligned(f *os.File, offset int64, length int) ([]byte, error) {
	room, err := unix.MmapPtr(-1, 0, nil, uintptr(length+hugePage), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	before := -uintptr(room) & (hugePage - 1)
	at, err := unix.MmapPtr(int(f.Fd()), offset, unsafe.Add(room, before), uintptr(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE|unix.MAP_FIXED)
	if err != nil {
		_ = unix.MunmapPtr(room, uintptr(length+hugePage))
		return nil, err
	}
	if before > 0 {
		_ = unix.MunmapPtr(room, before)
	}
	if after := hugePage - before; after > 0 {
		end := (uintptr(length) + uintptr(unix.Getpagesize()) - 1) &^ (uintptr(unix.Getpagesize()) - 1)
		_ = unix.MunmapPtr(unsafe.Add(at, end), after)
	}
	return unsafe.Slice((*byte)(at), length), nil
}

// populate gives memory its pages. In RAM they are huge ones, if the host has them.
func populate(memory []byte, backing Backing) bool {
	return backing != File && len(memory)%hugePage == 0 && collapse(memory) || unix.Madvise(memory, unix.MADV_POPULATE_WRITE) == nil
}

// collapse gives memory huge pages, if the host has them, whether it gives them to shared memory by itself or not: a
// kernel's first writes to 4 KiB pages take ten times as long, even if they are there. What has no page at all is not
// made one (Linux mm/khugepaged.c, collapse_file).
func collapse(memory []byte) bool {
	for at := 0; at < len(memory); at += hugePage {
		if unix.Madvise(memory[at:at+1], unix.MADV_POPULATE_WRITE) != nil {
			return false
		}
	}
	return unix.Madvise(memory, unix.MADV_COLLAPSE) == nil
}

// booted is where a kernel's memory is written to while it boots, but for the page array: what follows the kernel's
// image, and where its first programs get theirs. Measured (docs/benchmarks.md); what is written to elsewhere gets its
// pages then.
var booted = []span{{12 << 20, 16 << 20}, {20 << 20, 28 << 20}}

// span is a part of a memory, in bytes: whole huge pages.
type span struct{ begin, end int64 }

// bootSpans are those of a memory of that size.
func bootSpans(size int64) (list []span) {
	end := size &^ (hugePage - 1)
	array := end - (size/arrayPart+hugePage-1)&^(hugePage-1)
	for _, s := range booted {
		if s.end <= array {
			list = append(list, s)
		}
	}
	return append(list, span{max(array, 0), end})
}

// warmBoot gives a memory huge pages where a kernel writes to while it boots: seven page faults instead of three thousand.
// Where the host has none, each has its first page.
func warmBoot(memory *os.File, size int64) {
	if memory.Truncate(size) != nil {
		return
	}
	for _, s := range bootSpans(size) {
		part, err := mapAligned(memory, s.begin, int(s.end-s.begin))
		if err != nil {
			return
		}
		collapse(part)
		_ = unix.MunmapPtr(unsafe.Pointer(&part[0]), uintptr(len(part)))
	}
}
