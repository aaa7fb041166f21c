// Command spiclient does with SPI what firmware does:
//
//	spiclient transfer DEVICE MODE BITS HZ HEX     write bytes by spidev, and print what was read
//	spiclient erase DEVICE START LENGTH            erase a part of an MTD device
package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of Linux include/uapi/linux/spi/spidev.h and include/uapi/mtd/mtd-abi.h.
const (
	spiMessage1 = 0x40206b00
	spiMode32   = 0x40046b05
	memErase    = 0x40084d02
)

// transfer is struct spi_ioc_transfer.
type transfer struct {
	tx, rx         uint64
	len, hz        uint32
	delay          uint16
	bits, csChange uint8
	_              [4]uint8
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "spiclient:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 6 && args[0] == "transfer":
		return exchange(args[1], args[2:5], args[5])
	case len(args) == 4 && args[0] == "erase":
		return erase(args[1], args[2:])
	}
	return fmt.Errorf("say transfer DEVICE MODE BITS HZ HEX, or erase DEVICE START LENGTH")
}

func numbers(texts []string) ([]uint32, error) {
	list := make([]uint32, len(texts))
	for i, text := range texts {
		n, err := strconv.ParseUint(text, 0, 32)
		if err != nil {
			return nil, err
		}
		list[i] = uint32(n)
	}
	return list, nil
}

func ioctl(f *os.File, request uintptr, p unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(p)); errno != 0 {
		return fmt.Errorf("%s: %s", f.Name(), unix.ErrnoName(errno))
	}
	return nil
}

func exchange(device string, how []string, text string) error {
	n, err := numbers(how)
	if err != nil {
		return err
	}
	tx, err := hex.DecodeString(text)
	if err != nil || len(tx) == 0 {
		return fmt.Errorf("%q are no bytes in hex", text)
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ioctl(f, spiMode32, unsafe.Pointer(&n[0])); err != nil {
		return fmt.Errorf("mode: %w", err)
	}
	rx := make([]byte, len(tx))
	t := transfer{tx: uint64(uintptr(unsafe.Pointer(&tx[0]))), rx: uint64(uintptr(unsafe.Pointer(&rx[0]))),
		len: uint32(len(tx)), bits: uint8(n[1]), hz: n[2]}
	err = ioctl(f, spiMessage1, unsafe.Pointer(&t))
	runtime.KeepAlive(tx)
	runtime.KeepAlive(rx)
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	fmt.Printf("%x\n", rx)
	return nil
}

func erase(device string, where []string) error {
	n, err := numbers(where)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info := [2]uint32{n[0], n[1]}
	return ioctl(f, memErase, unsafe.Pointer(&info))
}
