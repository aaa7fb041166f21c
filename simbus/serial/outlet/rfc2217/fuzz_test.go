package rfc2217

import (
	"io"
	"net"
	"testing"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// strict is a line that checks what it is asked.
type strict struct {
	t       *testing.T
	session *Session
	bytes   int
}

func (l *strict) Do(a outlet.Act) error {
	if a.Do == outlet.Send {
		l.bytes += len(a.Data)
		l.session.Sent(len(a.Data))
		l.session.Receive(a.Data, serial.Flags(len(a.Data)&7))
		l.session.Lines(serial.Lines(len(a.Data)) & serial.Inputs)
	}
	if a.Do == outlet.Set {
		if err := a.Settings.Check(); err != nil {
			l.t.Error(err)
		}
	}
	if again, err := outlet.ParseAct(a.Text(), a.Data); err != nil || again.Text() != a.Text() {
		l.t.Errorf("%s is read as %s: %v", a.Text(), again.Text(), err)
	}
	return nil
}

// FuzzSession lets a client send anything, in pieces, while it reads.
func FuzzSession(f *testing.F) {
	f.Add([]byte(willComPort+sub("\x01\x00\x01\xc2\x00")+"data\xff\xff"+sub("\x05\x05")), 3)
	f.Add([]byte("\xff\xfa\x2c\xff\xff\xff\xf0\xff\xf3\xff\xfe\x2c"+willComPort+sub("\x08")+"x"+sub("\x09")), 1000)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		here, there := net.Pipe()
		s := NewSession(there, outlet.Settings{Format: serial.EightN1(serial.Baud(9600))})
		line, over := &strict{t: t, session: s}, make(chan error)
		go func() { over <- s.Run(line) }()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), max(1, piece))
			if _, err := here.Write(rest[:n]); err != nil {
				break
			}
			rest = rest[n:]
		}
		here.Close()
		if err := <-over; err != nil {
			t.Error(err)
		}
		if line.bytes > len(stream) {
			t.Errorf("%d bytes come out of %d", line.bytes, len(stream))
		}
	})
}
