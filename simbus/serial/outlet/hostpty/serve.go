package hostpty

import (
	"time"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"

	"golang.org/x/sys/unix"
)

// serve lets bytes pass both ways, until the end.
func (p *Pty) serve() {
	buf := make([]byte, 1+sendAhead)
	for !p.isClosed() && p.failed == nil {
		events, room := p.wait()
		hungUp := events&unix.POLLHUP != 0
		if !hungUp {
			p.opened()
		}
		more := events&(unix.POLLIN|unix.POLLPRI) != 0 && p.read(buf)
		if p.open {
			p.look()
			p.write()
			p.throttle()
		}
		switch {
		case !hungUp || more:
		case room:
			p.left()
		case !p.credit.Await(sendAhead-1, linger): // it cannot be sent
			p.shut()
		}
	}
	p.shut()
}

// wait waits until something may have happened, and is poll(2)'s events of the terminal: it
// is hung up while no program has it open. room tells whether bytes were waited for.
func (p *Pty) wait() (events int16, room bool) {
	fds := []unix.PollFd{{Fd: int32(p.wake), Events: unix.POLLIN}, {Fd: int32(p.master), Events: unix.POLLPRI}}
	if room = p.credit.Waiting() < sendAhead; room {
		fds[1].Events |= unix.POLLIN
	}
	if p.out.waiting() > 0 {
		fds[1].Events |= unix.POLLOUT
	}
	if !p.open { // the kernel would say at once that no program is there
		if n, _ := unix.Poll(fds[1:], 0); n > 0 && fds[1].Revents == unix.POLLHUP {
			fds = fds[:1]
			events = unix.POLLHUP
		}
	}
	if _, err := unix.Poll(fds, int(pollTime/time.Millisecond)); err != nil && err != unix.EINTR {
		p.failed = err
	}
	_, _ = unix.Read(p.wake, make([]byte, 8))
	if len(fds) > 1 {
		events = fds[1].Revents
	}
	return events, room
}

// do does something at the line.
func (p *Pty) do(a outlet.Act) {
	if p.failed == nil {
		p.failed = p.line.Do(a)
	}
}

// opened is called when a program has the terminal open.
func (p *Pty) opened() {
	if p.open {
		return
	}
	p.open, p.lines, p.hungUp, p.throttled = true, serial.Outputs, false, false
	p.out.set(true)
	p.do(outlet.Act{Do: outlet.Open})
	p.see()
	p.do(outlet.Act{Do: outlet.Set, Settings: p.set})
}

// look follows what the program has set.
func (p *Pty) look() {
	last := p.set
	if p.see(); p.set != last {
		p.do(outlet.Act{Do: outlet.Set, Settings: p.set})
	}
}

// see finds what the program has set.
func (p *Pty) see() {
	if t, err := unix.IoctlGetTermios(p.master, unix.TCGETS2); err == nil {
		p.set, p.hungUp = settings(t, p.base, p.set)
	}
}

// read takes bytes from the program, as the line has room for them, or what packet mode
// tells, which comes first; false if there is nothing.
func (p *Pty) read(buf []byte) bool {
	room := p.credit.Take(sendAhead)
	n, err := unix.Read(p.master, buf[:1+room])
	p.credit.Sent(room - max(0, n-1))
	if err != nil || n < 1 {
		return err == unix.EAGAIN || err == unix.EINTR
	}
	if buf[0] != unix.TIOCPKT_DATA {
		p.status(buf[0])
		return true
	}
	if n > 1 {
		p.opened() // it may have closed the terminal already
		p.look()   // what was set since holds for these
		p.do(outlet.Act{Do: outlet.Send, Data: append([]byte(nil), buf[1:n]...)})
	}
	return true
}

// status takes what packet mode tells (ioctl_tty(2), TIOCPKT).
func (p *Pty) status(bits byte) {
	if bits&unix.TIOCPKT_FLUSHREAD != 0 {
		p.out.forget()
	}
	if bits&unix.TIOCPKT_FLUSHWRITE != 0 {
		p.do(outlet.Act{Do: outlet.Purge})
	}
}

// write gives the program what there is for it.
func (p *Pty) write() {
	p.out.give(func(b []byte) int {
		n, _ := unix.Write(p.master, b) // it is full, or the program has gone
		return n
	})
}

// throttle drives the outputs: as the rate has them, and RTS by what the program has not
// taken, with hardware flow control.
func (p *Pty) throttle() {
	waiting := p.out.waiting()
	p.throttled = p.set.Flow == outlet.Hardware && (waiting > rtsOff || p.throttled && waiting > rtsOn)
	lines := serial.Outputs
	switch {
	case p.hungUp:
		lines = 0
	case p.throttled:
		lines = serial.DTR
	}
	if lines != p.lines {
		p.lines = lines
		p.do(outlet.Act{Do: outlet.Lift, Lines: lines})
	}
}

// left is called when no program has the terminal open. What was sent goes over the line,
// unless another opens it.
func (p *Pty) left() {
	for p.open && p.credit.Waiting() > 0 && p.credit.Await(0, linger) {
	}
	p.shut()
}

func (p *Pty) shut() {
	if p.open {
		p.open = false
		p.out.set(false)
		p.do(outlet.Act{Do: outlet.Close})
	}
}
