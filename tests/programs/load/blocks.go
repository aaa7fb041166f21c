package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// job is blocks to be read or written, past the page cache.
type job struct {
	file         *os.File
	write, touch bool
	random       bool
	size         int64 // of a block
	count, span  int64 // of each part, and of the file, in blocks
}

// blocks reads, or writes, so many blocks of a file or disk with depth of them at once.
// Untouched are blocks that are written from memory which never was.
func blocks(what, pattern, name, size, depth string, count int) error {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	block, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	parts, err := strconv.Atoi(depth)
	if err != nil {
		return err
	}
	j := job{file: f, write: what != "read", touch: what != "untouched", random: pattern == "random", size: int64(block), count: int64(count / parts)}
	if j.span = end / j.size; j.span == 0 {
		return fmt.Errorf("%s has %d bytes, less than a block", name, end)
	}
	return j.all(int64(parts))
}

// all does the job with so many requests at once, each from a thread that the runtime leaves alone.
func (j *job) all(depth int64) error {
	runtime.GOMAXPROCS(int(depth) + 1)
	errs := make([]error, depth)
	var wg sync.WaitGroup
	for i := range depth {
		wg.Go(func() { errs[i] = j.part(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *job) part(number int64) error {
	b, err := unix.Mmap(-1, 0, int(j.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	if j.touch { // else it is the kernel's zero page
		for i := range b {
			b[i] = byte(i)
		}
	}
	call, fd := uintptr(unix.SYS_PREAD64), j.file.Fd()
	if j.write {
		call = unix.SYS_PWRITE64
	}
	chance := rand.New(rand.NewPCG(uint64(number), 0))
	for i := range j.count {
		block := (number*j.count + i) % j.span
		if j.random {
			block = chance.Int64N(j.span)
		}
		if err := move(call, fd, b, block*j.size); err != nil {
			return err
		}
	}
	return nil
}

// move is pread(2) or pwrite(2) of all of b.
func move(call, fd uintptr, b []byte, off int64) error {
	for {
		n, _, errno := unix.RawSyscall6(call, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(off), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return errno
		case int(n) < len(b):
			return io.ErrUnexpectedEOF
		default:
			return nil
		}
	}
}
