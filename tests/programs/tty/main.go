// Command tty does to a serial port, one after another, what its arguments say, and prints what
// comes of it, with the time since it began:
//
//	tty /dev/ttyS1 rate=19200 even say=hello drain outq counters
//	tty /dev/ttyS1 rate=9600 wait=1000 read=5
//	tty /dev/ttyS1 rate=19200 even modbus    answer requests for ever
//	tty /dev/ttyS1 gpio=/dev/gpiochip0:0 rate=9600 line=high say=hello drain line=low
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "tty: say which, as the comment at the head of tests/programs/tty/main.go has it")
		os.Exit(1)
	}
	fd, err := unix.Open(os.Args[1], unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		fail("open", err)
	}
	p := &port{fd: fd, began: time.Now(), patience: time.Second}
	if p.first, err = p.count(); err != nil {
		fail("count", err)
	}
	for _, arg := range os.Args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		do, ok := deeds[name]
		if !ok {
			fail(arg, fmt.Errorf("there is no such"))
		}
		if err := do(p, value); err != nil {
			fail(arg, err)
		}
	}
	if err := unix.Close(fd); err != nil {
		fail("close", err)
	}
	p.say("closed")
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "tty: %s: %v\n", what, err)
	os.Exit(1)
}

type port struct {
	fd       int
	began    time.Time
	patience time.Duration // of reads
	first    counts        // when it was opened
	line     int           // the file of a GPIO line
}

func (p *port) say(format string, args ...any) {
	fmt.Printf("%.6f %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

var deeds = map[string]func(p *port, value string) error{
	"rate": (*port).rate,
	"even": func(p *port, _ string) error { return p.set(func(t *unix.Termios) { t.Cflag |= unix.PARENB }) },
	"seven": func(p *port, _ string) error {
		return p.set(func(t *unix.Termios) { t.Cflag = t.Cflag&^unix.CSIZE | unix.CS7 })
	},
	"odd": func(p *port, _ string) error {
		return p.set(func(t *unix.Termios) { t.Cflag |= unix.PARENB | unix.PARODD })
	},
	"mark": func(p *port, _ string) error { // errors of parity, framing errors and breaks
		return p.set(func(t *unix.Termios) { t.Iflag |= unix.PARMRK | unix.INPCK })
	},
	"wait":  func(p *port, value string) error { p.patience, _ = time.ParseDuration(value); return nil },
	"sleep": func(_ *port, value string) error { d, err := time.ParseDuration(value); time.Sleep(d); return err },
	"say":   func(p *port, value string) error { _, err := unix.Write(p.fd, []byte(value)); return err },
	"zeros": func(p *port, value string) error {
		n, _ := strconv.Atoi(value)
		_, err := unix.Write(p.fd, make([]byte, n))
		return err
	},
	"read":     (*port).read,
	"drain":    func(p *port, _ string) error { return p.told("drained", unix.IoctlSetInt(p.fd, unix.TCSBRK, 1)) },
	"break":    func(p *port, _ string) error { return p.told("broke", unix.IoctlSetInt(p.fd, unix.TCSBRK, 0)) },
	"outq":     func(p *port, _ string) error { return p.number("outq", unix.TIOCOUTQ) },
	"lines":    func(p *port, _ string) error { return p.number("lines", unix.TIOCMGET) },
	"rts":      (*port).rts,
	"counters": (*port).counters,
	"fifo":     (*port).fifo,
	"modbus":   (*port).modbus,
	"gpio":     (*port).gpio,
	"line":     (*port).level,
}

func (p *port) told(what string, err error) error {
	p.say("%s", what)
	return err
}

func (p *port) number(what string, request uint) error {
	n, err := unix.IoctlGetInt(p.fd, request)
	p.say("%s %d", what, n)
	return err
}

// rts sets RTS on or off, and prints at once which lines are active: "rts on 0x26".
func (p *port) rts(value string) error {
	request := uint(unix.TIOCMBIC)
	if value == "on" {
		request = unix.TIOCMBIS
	}
	if err := unix.IoctlSetPointerInt(p.fd, request, unix.TIOCM_RTS); err != nil {
		return err
	}
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCMGET)
	p.say("rts %s %#x", value, n)
	return err
}

func (p *port) set(change func(t *unix.Termios)) error {
	t, err := unix.IoctlGetTermios(p.fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	change(t)
	return unix.IoctlSetTermios(p.fd, unix.TCSETS2, t)
}

// fifo says how large the FIFO of the transmitter is, as setserial does.
func (p *port) fifo(value string) error {
	size, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return err
	}
	var serial [18]int32 // struct serial_struct (include/uapi/linux/tty.h), of 72 bytes
	const xmitFIFOSize = 5
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.TIOCGSERIAL, uintptr(unsafe.Pointer(&serial))); e != 0 {
		return e
	}
	serial[xmitFIFOSize] = int32(size)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.TIOCSSERIAL, uintptr(unsafe.Pointer(&serial))); e != 0 {
		return e
	}
	return nil
}

// rate sets 8N1 at a rate, raw.
func (p *port) rate(value string) error {
	baud, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return err
	}
	const bother, ibshift = 0o10000, 16
	return p.set(func(t *unix.Termios) {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = bother | unix.CS8 | unix.CREAD | unix.CLOCAL
		t.Ispeed, t.Ospeed = uint32(baud), uint32(baud)
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 0, 1
	})
}

// read reads so many bytes, or what comes before its patience ends.
func (p *port) read(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	b, err := p.take(n, p.patience)
	p.say("read %q", b)
	return err
}

func (p *port) take(n int, patience time.Duration) (got []byte, err error) {
	for until := time.Now().Add(patience); len(got) < n && time.Now().Before(until); {
		b := make([]byte, n-len(got))
		k, err := unix.Read(p.fd, b)
		if err != nil && err != unix.EINTR {
			return got, err
		}
		got = append(got, b[:max(0, k)]...)
	}
	return got, nil
}

// counts is struct serial_icounter_struct (linux/serial.h).
type counts struct {
	cts, dsr, rng, dcd, rx, tx, frame, overrun, parity, brk, bufOverrun int32
	_                                                                   [9]int32
}

func (p *port) count() (c counts, err error) {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.TIOCGICOUNT, uintptr(unsafe.Pointer(&c))); errno != 0 {
		return c, errno
	}
	return c, nil
}

// counters prints some of what was counted since the port was opened.
func (p *port) counters(string) error {
	c, err := p.count()
	p.say("rx %d tx %d frame %d parity %d break %d overrun %d", c.rx-p.first.rx, c.tx-p.first.tx, c.frame-p.first.frame,
		c.parity-p.first.parity, c.brk-p.first.brk, c.overrun-p.first.overrun)
	return err
}

// modbus is a server of Modbus RTU: each holding register's value is its number plus 100. It
// answers requests of eight bytes, whoever they are for.
func (p *port) modbus(string) error {
	for {
		q, err := p.take(8, time.Hour)
		if err != nil {
			return err
		}
		if len(q) < 8 || q[1] != 3 {
			continue
		}
		first, count := int(q[2])<<8|int(q[3]), int(q[5])
		reply := []byte{q[0], q[1], byte(2 * count)}
		for i := range count {
			v := first + i + 100
			reply = append(reply, byte(v>>8), byte(v))
		}
		time.Sleep(5 * time.Millisecond) // longer than the line has to rest
		crc := crc16(reply)
		if err := p.answer(append(reply, byte(crc), byte(crc>>8))); err != nil {
			return err
		}
	}
}

// answer sends, with the line high meanwhile, if gpio has taken one.
func (p *port) answer(b []byte) error {
	if p.line != 0 {
		if err := p.level("high"); err != nil {
			return err
		}
	}
	if _, err := unix.Write(p.fd, b); err != nil || p.line == 0 {
		return err
	}
	if err := unix.IoctlSetInt(p.fd, unix.TCSBRK, 1); err != nil {
		return err
	}
	return p.level("low")
}

func crc16(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			odd := crc&1 != 0
			if crc >>= 1; odd {
				crc ^= 0xa001
			}
		}
	}
	return crc
}
