package main

import (
	"fmt"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pattern is what transmit sends and receive expects at a place in the stream: no
// two stretches of it are alike, so that a lost or doubled byte shows.
func pattern(i int) byte {
	x := uint32(i) * 2654435761 // Knuth's multiplicative hash
	return byte(x>>24 ^ x>>13)
}

// bother is the speed that the fields of its own have, and ibshift where it stands for input.
const (
	bother  = 0o10000
	ibshift = 16
)

// openRaw opens a tty, and sets it to so many bits a second and that flow control.
func openRaw(device, rate, flow string) (int, error) {
	baud, err := strconv.ParseUint(rate, 10, 32)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", device, err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", device, err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0 // what cfmakeraw(3) does, and no XON and XOFF
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB|unix.CRTSCTS) | unix.CS8
	if flow == "crtscts" {
		t.Cflag |= unix.CRTSCTS
	}
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	t.Cflag = t.Cflag&^(unix.CBAUD|unix.CBAUD<<ibshift) | bother
	t.Ispeed, t.Ospeed = uint32(baud), uint32(baud)
	return fd, unix.IoctlSetTermios(fd, unix.TCSETS2, t)
}

// transmit writes count bytes of the pattern.
func transmit(device, baud, flow string, count int) error {
	fd, err := openRaw(device, baud, flow)
	if err != nil {
		return err
	}
	var buf [4096]byte
	for at := 0; at < count; {
		n := min(len(buf), count-at)
		for i := range n {
			buf[i] = pattern(at + i)
		}
		for part := buf[:n]; len(part) > 0; {
			k, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&part[0])), uintptr(len(part)))
			if errno != 0 && errno != unix.EINTR {
				return errno
			}
			if errno == 0 {
				part = part[k:]
			}
		}
		at += n
	}
	return nil
}

// receive reads count bytes and compares them with the pattern. It prints how
// many nanoseconds passed from the first read to the last.
func receive(device, baud, flow string, count int) error {
	fd, err := openRaw(device, baud, flow)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var buf [4096]byte
	var first, last unix.Timespec
	for at := 0; at < count; {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &last); err != nil {
			return err
		}
		if at == 0 {
			first = last
		}
		for i := range int(n) {
			if want := pattern(at + i); buf[i] != want {
				return fmt.Errorf("byte %d is %#02x, want %#02x", at+i, buf[i], want)
			}
		}
		at += int(n)
	}
	fmt.Println("received", strconv.Itoa(count), last.Nano()-first.Nano())
	return nil
}
