package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

// call makes a system call that does next to nothing.
func call(count int) error {
	for range count {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
	}
	return nil
}

// work lets so many processes share count pieces of work for the kernel.
func work(text string, count int) error {
	jobs, err := strconv.Atoi(text)
	if err != nil || jobs < 1 {
		return fmt.Errorf("%q is not a number of processes", text)
	}
	if jobs == 1 {
		return pieces(count)
	}
	var all []*exec.Cmd
	for range jobs {
		c := exec.Command("/proc/self/exe", "work", "1", strconv.Itoa(count/jobs))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return err
		}
		all = append(all, c)
	}
	for _, c := range all {
		if failure := c.Wait(); err == nil {
			err = failure
		}
	}
	return err
}

// pieces does what a compiler asks of the kernel: files that are made, written, read and
// removed, and memory that is touched for the first time.
func pieces(count int) error {
	page := make([]byte, 4096)
	name := fmt.Sprintf("/tmp/work.%d", os.Getpid())
	for range count {
		f, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		var st unix.Stat_t
		for range 4 {
			if _, err := unix.Write(f, page); err != nil {
				return err
			}
			if err := unix.Fstat(f, &st); err != nil {
				return err
			}
		}
		if _, err := unix.Pread(f, page, 4096); err != nil {
			return err
		}
		if err := unix.Close(f); err != nil {
			return err
		}
		memory, err := unix.Mmap(-1, 0, 16*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		for i := 0; i < len(memory); i += 4096 {
			memory[i] = 1
		}
		if err := unix.Munmap(memory); err != nil {
			return err
		}
		if err := unix.Unlink(name); err != nil {
			return err
		}
	}
	return nil
}
