package rfc2217

import (
	"net"
	"sync"
	"time"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

const (
	// sendAhead is how many bytes a client can send before they have gone over the line;
	// the rest waits in the connection, and behind it the client.
	sendAhead = 1 << 16
	// What a client has not taken when RTS goes, and when it comes back, if there is
	// hardware flow control.
	rtsOff = 4096
	rtsOn  = 1024
	// linger is how long what a client has sent may take to go over the line after it has
	// gone, by the host's clock, where it does not move: Linux's closing_wait.
	linger = 30 * time.Second
	// answers is how long a client that has sent all is told of what arrives; glance is how
	// often it is looked whether it has gone.
	answers = time.Second
	glance  = 20 * time.Millisecond
	// slow is how long a client may take nothing before it is left.
	slow = 2 * time.Minute
)

// Session is one client of a line, which is told of the line by its methods.
type Session struct {
	conn   net.Conn
	out    *outbox
	credit outlet.Credit
	telnet telnet
	opts   *options

	set     outlet.Settings
	breakOn bool
	left    bool // the client's input is at an end

	doing     sync.Mutex // guards what follows
	line      outlet.Line
	failed    error // of line
	outputs   serial.Lines
	inbound   byte // flow control of what arrives, as SET-CONTROL has it
	throttled bool // RTS is off since the client does not read
	check     chan struct{}

	mu     sync.Mutex // guards what follows, which the line changes as well
	masks  [2]byte    // of line and modem state
	modem  byte       // the modem state, without changes
	agreed bool       // the client has a COM port
}

// NewSession is for a client on conn, at an end of a line that is set like that.
func NewSession(conn net.Conn, set outlet.Settings) *Session {
	s := &Session{conn: conn, out: newOutbox(func() { conn.Close() }), set: set, inbound: inboundNone, check: make(chan struct{}, 1)}
	s.masks[modemState] = 0xff
	s.credit.Limit = sendAhead
	s.opts = newOptions(s.out.answer, s.agree)
	s.telnet = telnet{data: s.send, command: s.command, negotiate: s.opts.negotiate, parameter: s.parameter, plain: s.opts.plain}
	return s
}

// Run serves the client until it goes, or the line fails, whose error it is.
func (s *Session) Run(line outlet.Line) error {
	s.line, s.outputs = line, serial.Outputs
	s.do(outlet.Act{Do: outlet.Open})
	s.do(outlet.Act{Do: outlet.Set, Settings: s.set})
	over := make(chan struct{})
	var writer, throttle sync.WaitGroup
	writer.Go(s.write)
	throttle.Go(func() { s.throttle(over) })
	s.read()
	s.drain()
	close(over)
	throttle.Wait()
	s.do(outlet.Act{Do: outlet.Close})
	s.out.end()
	s.conn.Close()
	writer.Wait()
	return s.failed
}

// Close ends the session: what the client has sent need not go over the line any more.
func (s *Session) Close() {
	s.credit.Close()
	s.conn.Close()
}

// do does something at the line; false if it has failed.
func (s *Session) do(a outlet.Act) bool {
	s.doing.Lock()
	defer s.doing.Unlock()
	if s.failed == nil {
		s.failed = s.line.Do(a)
	}
	return s.failed == nil
}

// read reads what the client sends, until its end.
func (s *Session) read() {
	buf := make([]byte, 4096)
	for !s.left {
		n, err := s.conn.Read(buf)
		s.telnet.feed(buf[:n])
		if err != nil {
			return
		}
	}
}

// drain waits for what the client has sent before it went, and for answers to that if it may
// still read them: one that has sent all need not have gone.
func (s *Session) drain() {
	for !s.left && s.credit.Waiting() > 0 && s.credit.Await(0, linger) {
	}
	for waited := 0 * time.Second; waited < answers && !s.credit.Closed() && !closed(s.conn); waited += glance {
		time.Sleep(glance)
	}
}

// write sends the client what is for it.
func (s *Session) write() {
	for p := s.out.next(); p != nil; p = s.out.next() {
		if err := s.conn.SetWriteDeadline(time.Now().Add(slow)); err != nil {
			break
		}
		if _, err := s.conn.Write(p); err != nil {
			break
		}
		s.look()
	}
	s.out.end()
	s.credit.Close() // the reader does not wait for the line any more
	s.conn.Close()
}

// send gives the line bytes, as it has room for them.
func (s *Session) send(p []byte) {
	for stalled := 0 * time.Second; len(p) > 0 && !s.left; {
		switch n := s.credit.Take(len(p)); {
		case n > 0:
			s.left = !s.do(outlet.Act{Do: outlet.Send, Data: append([]byte(nil), p[:n]...)})
			p, stalled = p[n:], 0
		case s.credit.Await(sendAhead-1, time.Second):
			stalled = 0
		default:
			stalled += time.Second
			s.left = s.credit.Closed() || stalled >= linger && hungUp(s.conn)
		}
	}
}

// breakTime is how long a break of telnet's own lasts, as tcsendbreak(3) has it.
const breakTime = 250 * time.Millisecond

// command takes a telnet command.
func (s *Session) command(c byte) {
	s.opts.spoke = true
	switch c {
	case cmdBRK:
		s.do(outlet.Act{Do: outlet.Break, On: true, For: breakTime})
	case cmdAYT:
		s.out.answer([]byte("\r\n[Backplane]\r\n"))
	}
}

// Sent is told how many bytes have gone.
func (s *Session) Sent(n int) {
	if s.credit.Sent(n) {
		s.tellLine(stateHoldingEmpty | stateShiftEmpty)
	}
}

// Receive is told of bytes: what the client does not take in time is lost.
func (s *Session) Receive(p []byte, flags serial.Flags) {
	s.tellLine(byte(flags))
	if !s.out.addData(p) {
		s.tellLine(stateOverrun)
	}
	s.look()
}

// look lets throttle look at what waits.
func (s *Session) look() {
	select {
	case s.check <- struct{}{}:
	default:
	}
}

// throttle moves RTS by what the client has not taken, with hardware flow control,
// until over.
func (s *Session) throttle(over <-chan struct{}) {
	for {
		select {
		case <-s.check:
		case <-over:
			return
		}
		s.doing.Lock()
		waiting := s.out.waiting()
		full := s.inbound == inboundHardware && (waiting > rtsOff || s.throttled && waiting > rtsOn)
		if full != s.throttled {
			s.throttled = full
			s.lift()
		}
		s.doing.Unlock()
	}
}

// lift drives the outputs. It is called with doing.
func (s *Session) lift() {
	lines := s.outputs
	if s.throttled {
		lines &^= serial.RTS
	}
	if s.failed == nil {
		s.failed = s.line.Do(outlet.Act{Do: outlet.Lift, Lines: lines})
	}
}
