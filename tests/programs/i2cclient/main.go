// Command i2cclient does on an I2C bus what firmware does, and says what became
// of it, an error by its name:
//
//	i2cclient absent BUS CHIP NOBODY     messages to an address at which nothing is
//	i2cclient alarm BUS CHIP COUNT       transfers while a timer's signals come
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of Linux include/uapi/linux/i2c-dev.h and i2c.h.
const (
	i2cSlaveForce = 0x0706
	i2cRDWR       = 0x0707
	i2cRead       = 0x0001
)

type message struct {
	addr, flags, size uint16
	_                 uint16
	data              *byte
}

type transaction struct {
	messages *message
	count    uint32
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "i2cclient:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("say absent BUS CHIP NOBODY or alarm BUS CHIP COUNT")
	}
	var n [2]int
	for i := range n {
		v, err := strconv.ParseInt(args[2+i], 0, 32)
		if err != nil {
			return err
		}
		n[i] = int(v)
	}
	f, err := os.OpenFile("/dev/i2c-"+args[1], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	fd := int(f.Fd())
	if args[0] == "absent" {
		return absent(fd, uint16(n[0]), uint16(n[1]))
	}
	return alarm(fd, uint16(n[0]), n[1])
}

func write(addr uint16, b []byte) message {
	return message{addr: addr, size: uint16(len(b)), data: &b[0]}
}

func read(addr uint16, b []byte) message {
	return message{addr: addr, flags: i2cRead, size: uint16(len(b)), data: &b[0]}
}

// transfer does messages in one transaction.
func transfer(fd int, messages ...message) (int, error) {
	t := transaction{&messages[0], uint32(len(messages))}
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), i2cRDWR, uintptr(unsafe.Pointer(&t)))
	runtime.KeepAlive(messages)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func absent(fd int, chip, nobody uint16) error {
	say := func(what string, n int, err error) {
		if errno, ok := err.(unix.Errno); ok {
			fmt.Printf("%s: %s\n", what, unix.ErrnoName(errno))
		} else {
			fmt.Printf("%s: %d %v\n", what, n, err)
		}
	}
	reg, b, last := []byte{0}, []byte{0xaa, 0xbb}, []byte{0xcc}
	n, err := transfer(fd, write(nobody, reg), read(nobody, b))
	say("write, read", n, err)
	n, err = transfer(fd, write(chip, reg), read(nobody, b), read(chip, last))
	say("the second of three", n, err)
	n, err = transfer(fd, write(chip, reg), read(chip, last), read(nobody, b))
	say("the third of three", n, err)
	n, err = transfer(fd, write(chip, reg), read(chip, b))
	say("none", n, err)
	if err := unix.IoctlSetInt(fd, i2cSlaveForce, int(nobody)); err != nil {
		return err
	}
	n, err = unix.Read(fd, b)
	say("read(2)", n, err)
	n, err = unix.Write(fd, b)
	say("write(2)", n, err)
	return nil
}

func alarm(fd int, chip uint16, count int) error {
	var signals atomic.Int64
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGALRM)
	go func() {
		for range c {
			signals.Add(1)
		}
	}()
	want, got := make([]byte, 32), make([]byte, 32)
	if _, err := transfer(fd, write(chip, []byte{0, 0}), read(chip, want)); err != nil {
		return err
	}
	if _, err := unix.Setitimer(unix.ItimerReal, unix.Itimerval{Interval: unix.Timeval{Usec: 700}, Value: unix.Timeval{Usec: 700}}); err != nil {
		return err
	}
	for i := range count {
		clear(got)
		if n, err := transfer(fd, write(chip, []byte{0, 0}), read(chip, got)); n != 2 || err != nil {
			return fmt.Errorf("transfer %d of %d: %d messages, %v", i, count, n, err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("transfer %d of %d: read %x, want %x", i, count, got, want)
		}
	}
	if signals.Load() == 0 {
		return fmt.Errorf("no signal came")
	}
	fmt.Printf("%d transfers\n", count)
	return nil
}
