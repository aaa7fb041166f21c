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

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

const page = 4096

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
	for _, pass := range []func(page []byte, number uint64) error{write, check} {
		if err := each(memory, pass); err != nil {
			return err
		}
	}
	fmt.Printf("%d MiB are as they were written\n", mib)
	return nil
}

// each calls f with all pages: each CPU has a part of them.
func each(memory []byte, f func(page []byte, number uint64) error) error {
	pages, cpus := len(memory)/page, runtime.NumCPU()
	done := make(chan error, cpus)
	for c := range cpus {
		go func() {
			for n := pages * c / cpus; n < pages*(c+1)/cpus; n++ {
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

// word is what is in one of a page's words of 8 bytes.
func word(number uint64, at int) uint64 { return (number + 1) * 0x9e3779b97f4a7c15 >> (at % 7) }

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
