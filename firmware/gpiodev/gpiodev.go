// Package gpiodev uses GPIO lines through the character device, version 2 of
// its interface (Linux include/uapi/linux/gpio.h).
package gpiodev

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Structures of linux/gpio.h.
type chipInfo struct {
	name, label [32]byte
	lines       uint32
}

type lineAttribute struct {
	id, padding uint32
	value       uint64
}

type lineInfo struct {
	name, consumer [32]byte
	offset         uint32
	numAttrs       uint32
	flags          uint64
	attrs          [10]lineAttribute
	padding        [4]uint32
}

type lineConfigAttribute struct {
	attr lineAttribute
	mask uint64
}

type lineConfig struct {
	flags    uint64
	numAttrs uint32
	padding  [5]uint32
	attrs    [10]lineConfigAttribute
}

type lineRequest struct {
	offsets   [64]uint32
	consumer  [32]byte
	config    lineConfig
	numLines  uint32
	eventSize uint32
	padding   [5]uint32
	fd        int32
}

type lineValues struct{ bits, mask uint64 }

type lineEvent struct {
	timestamp     uint64
	id            uint32
	offset        uint32
	seqno, lineNo uint32
	padding       [6]uint32
}

// Requests and flags.
const (
	getChipInfo = 0x8044b401
	getLineInfo = 0xc100b405
	getLine     = 0xc250b407
	getValues   = 0xc010b40e
	setValues   = 0xc010b40f

	flagInput       = 1 << 2
	flagOutput      = 1 << 3
	flagEdgeRising  = 1 << 4
	flagEdgeFalling = 1 << 5

	attrOutputValues = 2
	eventRising      = 1
)

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// Line is one line that was requested.
type Line struct{ f *os.File }

// ErrNoLine says that no gpiochip has a line of that name.
var ErrNoLine = errors.New("there is no such GPIO line")

// find looks for a line on all gpiochips: the chip's device, and the offset.
func find(name string) (chip string, offset uint32, err error) {
	chips, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return "", 0, err
	}
	sort.Strings(chips)
	for _, chip := range chips {
		offset, err := findOn(chip, name)
		if !errors.Is(err, ErrNoLine) {
			return chip, offset, err
		}
	}
	return "", 0, fmt.Errorf("%w: %q", ErrNoLine, name)
}

func findOn(chip, name string) (uint32, error) {
	fd, err := unix.Open(chip, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", chip, err)
	}
	defer unix.Close(fd)
	var info chipInfo
	if err := ioctl(fd, getChipInfo, unsafe.Pointer(&info)); err != nil {
		return 0, fmt.Errorf("%s: %w", chip, err)
	}
	for i := range info.lines {
		l := lineInfo{offset: i}
		if err := ioctl(fd, getLineInfo, unsafe.Pointer(&l)); err != nil {
			return 0, fmt.Errorf("%s line %d: %w", chip, i, err)
		}
		if text, _, _ := bytes.Cut(l.name[:], []byte{0}); string(text) == name {
			return i, nil
		}
	}
	return 0, ErrNoLine
}

func request(name, consumer string, config lineConfig) (*Line, error) {
	chip, offset, err := find(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(chip, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", chip, err)
	}
	defer unix.Close(fd)
	r := lineRequest{config: config, numLines: 1}
	r.offsets[0] = offset
	copy(r.consumer[:len(r.consumer)-1], consumer)
	if err := ioctl(fd, getLine, unsafe.Pointer(&r)); err != nil {
		return nil, fmt.Errorf("request line %q of %s: %w", name, chip, err)
	}
	if err := unix.SetNonblock(int(r.fd), true); err != nil {
		unix.Close(int(r.fd))
		return nil, err
	}
	return &Line{os.NewFile(uintptr(r.fd), name)}, nil
}

// Output requests a line by name as an output with that value.
func Output(name, consumer string, value bool) (*Line, error) {
	config := lineConfig{flags: flagOutput, numAttrs: 1}
	config.attrs[0] = lineConfigAttribute{attr: lineAttribute{id: attrOutputValues, value: bit(value)}, mask: 1}
	return request(name, consumer, config)
}

// Input requests a line by name as an input.
func Input(name, consumer string) (*Line, error) {
	return request(name, consumer, lineConfig{flags: flagInput})
}

// Edges requests a line by name as an input whose edges Wait tells.
func Edges(name, consumer string) (*Line, error) {
	return request(name, consumer, lineConfig{flags: flagInput | flagEdgeRising | flagEdgeFalling})
}

func bit(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

func (l *Line) control(request uintptr, v *lineValues) error {
	c, err := l.f.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	if err := c.Control(func(fd uintptr) { failure = ioctl(int(fd), request, unsafe.Pointer(v)) }); err != nil {
		return err
	}
	if failure != nil {
		return fmt.Errorf("line %q: %w", l.f.Name(), failure)
	}
	return nil
}

// Set sets an output.
func (l *Line) Set(value bool) error {
	return l.control(setValues, &lineValues{bits: bit(value), mask: 1})
}

// Get reads the line's level.
func (l *Line) Get() (bool, error) {
	v := lineValues{mask: 1}
	err := l.control(getValues, &v)
	return v.bits&1 != 0, err
}

// Edge is a change of a line's level.
type Edge struct {
	Rising bool
	Time   time.Duration // on CLOCK_MONOTONIC
}

// Wait waits for the next edge.
func (l *Line) Wait() (Edge, error) {
	var e lineEvent
	b := unsafe.Slice((*byte)(unsafe.Pointer(&e)), unsafe.Sizeof(e))
	if _, err := l.f.Read(b); err != nil {
		return Edge{}, fmt.Errorf("wait for an edge: %w", err)
	}
	return Edge{e.id == eventRising, time.Duration(e.timestamp)}, nil
}

// Close gives the line back; a Wait ends with an error.
func (l *Line) Close() error { return l.f.Close() }
