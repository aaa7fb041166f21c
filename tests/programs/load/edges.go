package main

import (
	"fmt"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	flagInput       = 1 << 2
	flagEdgeRising  = 1 << 4
	flagEdgeFalling = 1 << 5
)

// lineEvent is struct gpio_v2_line_event of linux/gpio.h.
type lineEvent struct {
	timestamp uint64
	id        uint32
	_         uint32 // offset
	seqno     uint32
	_         [7]uint32 // line_seqno, padding
}

// requestLine requests a line of a gpiochip and returns its file.
func requestLine(chip string, line uint64, flags uint64, buffer uint32) (int, error) {
	fd, err := unix.Open(chip, unix.O_RDWR, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	r := lineRequest{flags: flags, numLines: 1, buffer: buffer}
	r.offsets[0] = uint32(line)
	copy(r.consumer[:], "load")
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), getLine, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return -1, errno
	}
	return int(r.fd), nil
}

func line(what, chip, number, every string, count int) error {
	n, err := strconv.ParseUint(number, 0, 32)
	if err != nil {
		return err
	}
	period, err := time.ParseDuration(every)
	if err != nil {
		return err
	}
	if what == "toggle" {
		return toggle(chip, n, period, count)
	}
	return edges(chip, n, period, count)
}

// toggle switches a line over count times, a period apart, and prints when it
// did so first, in nanoseconds on CLOCK_MONOTONIC.
func toggle(chip string, line uint64, period time.Duration, count int) error {
	fd, err := requestLine(chip, line, flagOutput, 0)
	if err != nil {
		return err
	}
	// Linux lets an ordinary program sleep up to 50 us longer, to wake up less often.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return err
	}
	var next unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &next); err != nil {
		return err
	}
	next = unix.NsecToTimespec(next.Nano()/int64(period)*int64(period) + int64(period))
	fmt.Println("first", next.Nano())
	for i := range count {
		for errno := unix.EINTR; errno == unix.EINTR; {
			_, _, errno = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME,
				uintptr(unsafe.Pointer(&next)), 0, 0, 0)
		}
		v := [2]uint64{uint64(i+1) & 1, 1}
		if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), setValues, uintptr(unsafe.Pointer(&v))); errno != 0 {
			return errno
		}
		next = unix.NsecToTimespec(next.Nano() + int64(period))
	}
	return nil
}

// tolerance is how far edges may be off their period: the guest's clock has steps.
const tolerance = time.Microsecond

// edges waits for count edges of a line. It prints when the first one was, how
// many of them did not come period after the one before or went the same way,
// and how many the kernel dropped for want of room, by its sequence numbers.
func edges(chip string, line uint64, period time.Duration, count int) error {
	fd, err := requestLine(chip, line, flagInput|flagEdgeRising|flagEdgeFalling, 1024)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var events [64]lineEvent
	var last lineEvent
	first, apart, dropped := uint64(0), 0, 0
	for seen := 0; seen < count; {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&events)), unsafe.Sizeof(events))
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		for _, e := range events[:n/unsafe.Sizeof(events[0])] {
			if seen == 0 {
				first = e.timestamp
			} else {
				dropped += int(e.seqno-last.seqno) - 1
				if off := time.Duration(e.timestamp-last.timestamp) - period; off.Abs() > tolerance || e.id == last.id {
					apart++
				}
			}
			last = e
			seen++
		}
	}
	fmt.Println("seen", count, "first", first, "irregular", apart, "dropped", dropped)
	return nil
}
