// Command fill writes to so many MiB of memory, each page something of its own, with all CPUs,
// and reads all of it back:
//
//	fill 384
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

const (
	page  = 4096
	chunk = 1024 // pages
)

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("say how many MiB")
	}
	mib, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	memory, err := unix.Mmap(-1, 0, mib<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("map %d MiB: %w", mib, err)
	}
	begin := time.Now()
	if err := each(memory, write); err != nil {
		return err
	}
	written := time.Now()
	if err := each(memory, check); err != nil {
		return err
	}
	fmt.Printf("%d MiB are as they were written, which took %.1f s, and %.1f s to read\n", mib, written.Sub(begin).Seconds(), time.Since(written).Seconds())
	return nil
}

// each calls f with all pages: each CPU has a part of them.
func each(memory []byte, f func(page []byte, number uint64) error) error {
	pages, cpus := len(memory)/page, runtime.NumCPU()
	done := make(chan error, cpus)
	for c := range cpus {
		go func() {
			for n, end := pages*c/cpus, pages*(c+1)/cpus; n < end; n++ {
				if n%chunk == 0 { // a page fault for each page would take three times as long
					_ = unix.Madvise(memory[n*page:min(n+chunk, end)*page], unix.MADV_POPULATE_WRITE)
				}
				if err := f(memory[n*page:(n+1)*page], uint64(n)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	var errs []error
	for range cpus {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

// word is what is in one of a page's words of 8 bytes: no page is as another, and none gets smaller by packing
// (splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
func word(number uint64, at int) uint64 {
	z := (number*page + uint64(at)) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func write(page []byte, number uint64) error {
	for at := 0; at < len(page); at += 8 {
		binary.NativeEndian.PutUint64(page[at:], word(number, at))
	}
	return nil
}

func check(page []byte, number uint64) error {
	for at := 0; at < len(page); at += 8 {
		if got, want := binary.NativeEndian.Uint64(page[at:]), word(number, at); got != want {
			return fmt.Errorf("page %d has %#x at %d, and had %#x", number, got, at, want)
		}
	}
	return nil
}
