// Command load keeps one part of a board busy, so that a benchmark can measure it:
//
//	load wake 1ms 10000        wake up that often, that far apart
//	load call 10000            make that many system calls
//	load work 4 10000          let four processes share that many pieces of work for the kernel
//	load i2c 1 0x48 10000      read a 16-bit register that often
//	load gpio /dev/gpiochip0 0 10000   switch a line over that often
//	load send 10.0.0.2:7 64 3s         send UDP datagrams of that size for that long
//	load count 7               receive what send sends, and count it
//	load toggle /dev/gpiochip0 0 10us 10000   the same, that far apart
//	load edges /dev/gpiochip0 0 10us 10000    wait for that many edges that far apart
//	load transmit /dev/ttyS1 115200 crtscts 1000000   send that many bytes of a pattern, at that rate,
//	                                   with that flow control, or -crtscts
//	load receive /dev/ttyS1 115200 crtscts 1000000    receive them
//	load blocks read random /dev/vda 4096 1 10000   read that many blocks of that size, one at once;
//	                                   or write, sequential, untouched (from the kernel's zero page)
//	load limit real 10000      notify and be notified through file descriptors 3 and 4
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "send":
		return send(args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "count":
		return count(args[1])
	case len(args) < 2:
		return fmt.Errorf("say what, as the comment at the head of tests/programs/load/main.go has it")
	}
	count, err := strconv.Atoi(args[len(args)-1])
	if err != nil {
		return err
	}
	if args[0] == "limit" && len(args) == 3 {
		return limit(args[1], count)
	}
	begin := time.Now()
	switch {
	case args[0] == "wake" && len(args) == 3:
		err = wake(args[1], count)
	case args[0] == "call" && len(args) == 2:
		err = call(count)
	case args[0] == "work" && len(args) == 3:
		err = work(args[1], count)
	case args[0] == "i2c" && len(args) == 4:
		err = i2c(args[1], args[2], count)
	case args[0] == "gpio" && len(args) == 4:
		err = gpio(args[1], args[2], count)
	case args[0] == "toggle" && len(args) == 5, args[0] == "edges" && len(args) == 5:
		err = line(args[0], args[1], args[2], args[3], count)
	case args[0] == "blocks" && len(args) == 7:
		err = blocks(args[1], args[2], args[3], args[4], args[5], count)
	case args[0] == "transmit" && len(args) == 5:
		err = transmit(args[1], args[2], args[3], count)
	case args[0] == "receive" && len(args) == 5:
		err = receive(args[1], args[2], args[3], count)
	default:
		err = fmt.Errorf("unknown load %q", args)
	}
	fmt.Println(time.Since(begin).Nanoseconds())
	return err
}

// All system calls of the loops are raw, or Go's monitor would wake up as well,
// to see how long they take.

func wake(text string, count int) error {
	period, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	var next unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &next); err != nil {
		return err
	}
	for range count {
		next = unix.NsecToTimespec(next.Nano() + period.Nanoseconds())
		for errno := unix.EINTR; errno == unix.EINTR; {
			_, _, errno = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME,
				uintptr(unsafe.Pointer(&next)), 0, 0, 0)
		}
	}
	return nil
}

// i2cMsg and i2cTransfer are struct i2c_msg and i2c_rdwr_ioctl_data (linux/i2c.h, linux/i2c-dev.h).
type i2cMsg struct {
	addr, flags, length uint16
	buf                 *byte
}

type i2cTransfer struct {
	msgs  *i2cMsg
	nmsgs uint32
}

const (
	i2cRDWR = 0x0707
	i2cRead = 1
)

func i2c(bus, address string, count int) error {
	addr, err := strconv.ParseUint(address, 0, 7)
	if err != nil {
		return err
	}
	fd, err := unix.Open("/dev/i2c-"+bus, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	var register [1]byte
	var value [2]byte
	msgs := [2]i2cMsg{{uint16(addr), 0, 1, &register[0]}, {uint16(addr), i2cRead, 2, &value[0]}}
	for range count {
		t := i2cTransfer{&msgs[0], 2}
		if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), i2cRDWR, uintptr(unsafe.Pointer(&t))); errno != 0 {
			return errno
		}
	}
	return nil
}

// The line request of linux/gpio.h, as far as it is used here.
type lineRequest struct {
	offsets  [64]uint32
	consumer [32]byte
	flags    uint64
	numAttrs uint32
	padding  [5]uint32
	attrs    [10][3]uint64
	numLines uint32
	buffer   uint32
	padding2 [5]uint32
	fd       int32
}

const (
	getLine    = 0xc250b407 // GPIO_V2_GET_LINE_IOCTL
	setValues  = 0xc010b40f // GPIO_V2_LINE_SET_VALUES_IOCTL
	flagOutput = 1 << 3
)

func gpio(chip, line string, count int) error {
	n, err := strconv.ParseUint(line, 0, 32)
	if err != nil {
		return err
	}
	fd, err := requestLine(chip, n, flagOutput, 0)
	if err != nil {
		return err
	}
	for i := range count {
		v := [2]uint64{uint64(i+1) & 1, 1}
		if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), setValues, uintptr(unsafe.Pointer(&v))); errno != 0 {
			return errno
		}
	}
	return nil
}
