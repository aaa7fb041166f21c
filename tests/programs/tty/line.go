package main

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lineRequest is struct gpio_v2_line_request of linux/gpio.h, as far as it is used here.
type lineRequest struct {
	offsets  [64]uint32
	consumer [32]byte
	flags    uint64
	_        [264]byte // the rest of struct gpio_v2_line_config
	lines    uint32
	_        [6]uint32 // the size of its buffer, padding
	fd       int32
}

const (
	getLine   = 0xc250b407 // GPIO_V2_GET_LINE_IOCTL
	setValues = 0xc010b40f // GPIO_V2_LINE_SET_VALUES_IOCTL
	output    = 1 << 3     // GPIO_V2_LINE_FLAG_OUTPUT
)

// gpio takes a line, "/dev/gpiochip0:1", as an output that is low.
func (p *port) gpio(value string) error {
	chip, offset, _ := strings.Cut(value, ":")
	n, err := strconv.ParseUint(offset, 10, 32)
	if err != nil {
		return err
	}
	fd, err := unix.Open(chip, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	request := lineRequest{offsets: [64]uint32{uint32(n)}, flags: output, lines: 1}
	copy(request.consumer[:], "tty")
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getLine, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	p.line = int(request.fd)
	return nil
}

// level sets the line that gpio has taken.
func (p *port) level(value string) error {
	values := [2]uint64{0, 1} // struct gpio_v2_line_values: bits, mask
	if value == "high" {
		values[0] = 1
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.line), setValues, uintptr(unsafe.Pointer(&values))); errno != 0 {
		return errno
	}
	return p.told(fmt.Sprint("line ", value), nil)
}
