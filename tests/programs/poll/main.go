//go:build amd64

// Command poll waits for something by asking for it again and again, without ever
// sleeping, as firmware does that was written for a CPU of its own:
//
//	poll clock 100ms             until the clock says that so much time has passed
//	poll coarse 100ms            the same, by a clock that moves with the tick
//	poll tsc 100ms               the same, by the CPU's counter of nanoseconds
//	poll select 100ms            the same, and each time it looks for input, which there is none of
//	poll yield 100ms             the same, and each time it lets others run
//	poll line /dev/gpiochip0 0   until a GPIO line is high
//	poll calls 1000              makes that many system calls, and says what they took
//	poll burn                    for ever, and asks nobody
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"backplane/guest/counter"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "poll:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	runtime.LockOSThread()
	if len(args) < 1 {
		return fmt.Errorf("say what for")
	}
	switch args[0] {
	case "line":
		if len(args) != 3 {
			return fmt.Errorf("say line CHIP LINE")
		}
		return line(args[1], args[2])
	case "burn":
		fmt.Println("burning, PID", os.Getpid())
		for n := uint64(0); ; n++ {
		}
	}
	if len(args) != 2 {
		return fmt.Errorf("say what for, and how long")
	}
	if args[0] == "calls" {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return calls(n)
	}
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	return spin(args[0], d)
}

// now is what a clock says, by a system call.
func now(clock int32) (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(clock, &ts)
	return time.Duration(ts.Nano()), err
}

func spin(how string, d time.Duration) error {
	clock := int32(unix.CLOCK_MONOTONIC)
	if how == "coarse" {
		clock = unix.CLOCK_MONOTONIC_COARSE
	}
	read := func() (time.Duration, error) { return now(clock) }
	ask := func() error { return nil }
	switch how {
	case "clock", "coarse":
	case "tsc":
		read = func() (time.Duration, error) { return time.Duration(counter.Read()), nil }
	case "yield":
		ask = func() error {
			_, _, errno := unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
			if errno != 0 {
				return errno
			}
			return nil
		}
	case "select":
		ask = func() error { _, err := unix.Select(0, nil, nil, nil, new(unix.Timeval)); return err }
	default:
		return fmt.Errorf("there is no %q", how)
	}
	begin, err := read()
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err := ask(); err != nil {
			return err
		}
		at, err := read()
		if err != nil {
			return err
		}
		if at-begin >= d {
			fmt.Println(n, int64(at-begin))
			return nil
		}
	}
}

// calls makes system calls that do nothing.
func calls(n int) error {
	begin, err := now(unix.CLOCK_MONOTONIC)
	if err != nil {
		return err
	}
	for range n {
		unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
	}
	end, err := now(unix.CLOCK_MONOTONIC)
	fmt.Println(int64(end - begin))
	return err
}

// Of Linux include/uapi/linux/gpio.h, version 1, which is the shorter.
type handleRequest struct {
	offsets  [64]uint32
	flags    uint32
	defaults [64]uint8
	label    [32]uint8
	lines    uint32
	fd       int32
}

const (
	getLineHandle = 0xc16cb403 // GPIO_GET_LINEHANDLE_IOCTL
	getValues     = 0xc040b408 // GPIOHANDLE_GET_LINE_VALUES_IOCTL
	requestInput  = 1
)

func line(chip, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	fd, err := unix.Open(chip, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	r := handleRequest{flags: requestInput, lines: 1}
	r.offsets[0] = uint32(n)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getLineHandle, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return errno
	}
	fmt.Println("polling")
	for n := 1; ; n++ {
		var values [64]uint8
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(r.fd), getValues, uintptr(unsafe.Pointer(&values))); errno != 0 {
			return errno
		}
		if values[0] != 0 {
			fmt.Println("seen after", n)
			return nil
		}
	}
}
