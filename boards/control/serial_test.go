package control

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// Outlet gives a line that sends back what it is sent, the last byte with a parity error.
func (f *fake) Outlet(path string, p outlet.Program) (outlet.Line, outlet.Settings, error) {
	if path != "sensor.uart1" {
		return nil, outlet.Settings{}, errors.New("no port " + path)
	}
	return fakeLine{f, p}, outlet.Settings{Format: serial.EightN1(serial.Baud(9600))}, nil
}

type fakeLine struct {
	f *fake
	p outlet.Program
}

func (l fakeLine) Do(a outlet.Act) error {
	switch a.Do {
	case outlet.Send:
		l.p.Receive(a.Data, serial.ParityError)
		l.p.Sent(len(a.Data))
	case outlet.Open:
		l.p.Lines(serial.CTS)
	case outlet.Purge:
		return errors.New("it cannot be done")
	}
	return l.f.note("serial", a.Text())
}

// TestSerial does what a client says at a line, tells it of what arrives, and closes what it
// has left open.
func TestSerial(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	f := &fake{values: make(map[string]string)}
	listen(t, "serial", f)
	c := dial(t)
	if err := c.Send(Request{Command: "serial", Path: "sensor.uart1"}); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Next(); err != nil || r.Act != "9600 8N1 none" {
		t.Fatalf("it is set to %q: %v", r.Act, err)
	}
	for _, i := range []Input{{Act: "open"}, {Act: "set 19200 7E1 none"}, {Act: "send", Data: []byte("hi\x00")}} {
		if err := c.Give(i); err != nil {
			t.Fatal(err)
		}
	}
	var got, taken string
	for !strings.HasSuffix(got, "hi\x00 parity") || taken != "3" {
		r, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if r.Lines != nil {
			got += r.Lines.String() + ", "
		}
		if len(r.Stdout) > 0 {
			got += string(r.Stdout) + " " + r.Flags.String()
		}
		if r.Taken > 0 {
			taken = fmt.Sprint(r.Taken)
		}
	}
	if got != "cts, hi\x00 parity" {
		t.Errorf("it is told %q", got)
	}
	c.Close()
	want := "serial open;serial set 19200 7E1 none;serial send;serial close;"
	for f.did() != want {
		if !strings.HasPrefix(want, f.did()) {
			t.Fatalf("done: %s, want %s", f.did(), want)
		}
	}
	for _, tt := range []struct{ path, act, err string }{
		{"sensor.uart9", "", "no port sensor.uart9"},
		{"sensor.uart1", "jump", `a program at a serial line cannot do "jump"`},
		{"sensor.uart1", "purge", "it cannot be done"},
	} {
		c := dial(t)
		if err := c.Send(Request{Command: "serial", Path: tt.path}); err != nil {
			t.Fatal(err)
		}
		if tt.act != "" {
			if _, err := c.Next(); err != nil {
				t.Fatal(err)
			}
			if err := c.Give(Input{Act: tt.act}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Next(); err == nil || err.Error() != tt.err {
			t.Errorf("%s %s: %v, want %s", tt.path, tt.act, err, tt.err)
		}
		c.Close()
	}
}

// did is what was done.
func (f *fake) did() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.values["did"]
}

// TestTold keeps no more than it may for a client that reads nothing.
func TestTold(t *testing.T) {
	told := &told{}
	told.filled.L = &told.mu
	for range 2 * lineLimit / 1000 {
		told.Receive(make([]byte, 1000), 0)
		told.Receive([]byte("!"), serial.FramingError)
		told.Lines(serial.CTS)
		told.Lines(0)
		told.Sent(1)
	}
	if told.bytes > lineLimit || told.bytes < lineLimit-1001 {
		t.Errorf("%d bytes are kept", told.bytes)
	}
	r, ok := told.next()
	if !ok || string(r.Stdout[1000:]) != "!" || r.Flags != serial.FramingError || *r.Lines != 0 || r.Taken != 2*lineLimit/1000 {
		t.Errorf("it is told of %d bytes, %s, lines %s, %d gone", len(r.Stdout), r.Flags, r.Lines, r.Taken)
	}
}
