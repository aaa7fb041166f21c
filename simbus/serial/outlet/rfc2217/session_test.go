package rfc2217

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"

	"github.com/google/go-cmp/cmp"
)

// bench is a client of a session at a line that notes what is done.
type bench struct {
	t       *testing.T
	client  net.Conn
	session *Session
	over    chan error

	mu    sync.Mutex
	acts  []string
	sent  int  // bytes
	stuck bool // nothing goes over the line
}

// Do notes an act: bytes without the word.
func (b *bench) Do(a outlet.Act) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.Do == outlet.Send {
		b.acts = append(b.acts, string(a.Data))
		if b.sent += len(a.Data); !b.stuck {
			b.session.Sent(len(a.Data))
		}
	} else {
		b.acts = append(b.acts, "<"+a.Text()+">")
	}
	return nil
}

// did is what was done since it was asked last.
func (b *bench) did() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.Join(b.acts, "")
	b.acts = nil
	return text
}

func start(t *testing.T, change func(*bench)) *bench {
	t.Helper()
	here, there := net.Pipe()
	b := &bench{t: t, client: here, over: make(chan error, 1)}
	b.session = NewSession(there, outlet.Settings{Format: serial.EightN1(serial.Baud(9600))})
	if change != nil {
		change(b)
	}
	go func() { b.over <- b.session.Run(b) }()
	t.Cleanup(func() {
		here.Close()
		b.session.Close()
	})
	return b
}

// write sends bytes, and returns when they have been taken apart.
func (b *bench) write(text string) {
	b.t.Helper()
	if _, err := io.WriteString(b.client, text); err != nil {
		b.t.Fatal(err)
	}
}

// read reads so many bytes.
func (b *bench) read(n int) string {
	b.t.Helper()
	p := make([]byte, n)
	if err := b.client.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	if n, err := io.ReadFull(b.client, p); err != nil {
		b.t.Fatalf("%q: %v", p[:n], err)
	}
	return string(p)
}

// expect sends bytes and wants an answer, and that something is done.
func (b *bench) expect(send, answer, acts string) {
	b.t.Helper()
	b.write(send)
	got := b.read(len(answer))
	if answer == "" { // what is answered is done
		b.write("\xff\xfa\x2c\x00\xff\xf0")
		b.read(len("\xff\xfa\x2c\x64Backplane\xff\xf0"))
	}
	if diff := cmp.Diff([]string{answer, acts}, []string{got, b.did()}); diff != "" {
		b.t.Errorf("after %q: answer and acts (-want +got):\n%s", send, diff)
	}
}

const (
	willComPort = "\xff\xfb\x2c"
	doComPort   = "\xff\xfd\x2c"
	agreed      = doComPort + "\xff\xfd\x00\xff\xfb\x00" + "\xff\xfa\x2c\x6b\x00\xff\xf0"
)

// sub is a command of COM-PORT-OPTION.
func sub(text string) string { return "\xff\xfa\x2c" + text + "\xff\xf0" }

// agree is a client that may use COM-PORT-OPTION.
func agree(t *testing.T, change func(*bench)) *bench {
	t.Helper()
	b := start(t, change)
	b.expect(willComPort, agreed, "<open><set 9600 8N1 none>")
	b.write("\xff\xfb\x00\xff\xfd\x00") // which is no news
	return b
}

// TestCommands does what each command says, and answers what is set.
func TestCommands(t *testing.T) {
	b := agree(t, nil)
	for _, tt := range []struct{ send, answer, acts string }{
		{sub("\x01\x00\x01\xc2\x00"), sub("\x65\x00\x01\xc2\x00"), "<set 115200 8N1 none>"},
		{sub("\x01\x00\x00\x00\xff\xff"), sub("\x65\x00\x00\x00\xff\xff"), "<set 255 8N1 none>"},
		{sub("\x01\x00\x00\x00\x00"), sub("\x65\x00\x00\x00\xff\xff"), ""}, // asks
		{sub("\x01\x7f\x00\x00\x00"), sub("\x65\x00\x00\x00\xff\xff"), ""}, // no such rate
		{sub("\x01\x00\x00\x25\x80"), sub("\x65\x00\x00\x25\x80"), "<set 9600 8N1 none>"},
		{sub("\x02\x07"), sub("\x66\x07"), "<set 9600 7N1 none>"},
		{sub("\x02\x09"), sub("\x66\x07"), ""},
		{sub("\x02\x00"), sub("\x66\x07"), ""},
		{sub("\x03\x03"), sub("\x67\x03"), "<set 9600 7E1 none>"},
		{sub("\x03\x05"), sub("\x67\x05"), "<set 9600 7S1 none>"},
		{sub("\x03\x02"), sub("\x67\x02"), "<set 9600 7O1 none>"},
		{sub("\x03\x00"), sub("\x67\x02"), ""},
		{sub("\x04\x03"), sub("\x68\x03"), "<set 9600 7O1.5 none>"},
		{sub("\x04\x02"), sub("\x68\x02"), "<set 9600 7O2 none>"},
		{sub("\x04\x00"), sub("\x68\x02"), ""},
		{sub("\x05\x03"), sub("\x69\x03"), "<set 9600 7O2 rtscts>"},
		{sub("\x05\x0d"), sub("\x69\x10"), ""},
		{sub("\x05\x02"), sub("\x69\x02"), "<set 9600 7O2 xonxoff>"},
		{sub("\x05\x0d"), sub("\x69\x0e"), ""},
		{sub("\x05\x00"), sub("\x69\x02"), ""},
		{sub("\x05\x11"), sub("\x69\x02"), ""}, // by DCD
		{sub("\x05\x05"), sub("\x69\x05"), "<break on>"},
		{sub("\x05\x04"), sub("\x69\x05"), ""},
		{sub("\x05\x06"), sub("\x69\x06"), "<break off>"},
		{sub("\x05\x07"), sub("\x69\x08"), ""},
		{sub("\x05\x09"), sub("\x69\x09"), "<lines rts>"},
		{sub("\x05\x0c"), sub("\x69\x0c"), "<lines>"},
		{sub("\x05\x08"), sub("\x69\x08"), "<lines dtr>"},
		{sub("\x05\x0a"), sub("\x69\x0c"), ""},
		{sub("\x0c\x02"), sub("\x70\x02"), "<purge>"},
		{sub("\x0c\x01"), sub("\x70\x01"), ""},
		{sub("\x00"), sub("\x64Backplane"), ""},
		{sub("\x00client"), "", ""},
		{"\xff\xf3", "", "<break 250ms>"},
		{"by\xff\xfftes\r\x00", "", "by\xfftes\r\x00"},
		{sub("\x01\x00"), "", ""}, // too short
		{sub("\x77\x00"), "", ""},
		{sub(""), "", ""},
		{"\xff\xfd\x18\xff\xfb\x1f", "\xff\xfc\x18\xff\xfe\x1f", ""}, // options that there are not
		{"\xff\xfe\x18\xff\xfc\x1f", "", ""},
	} {
		b.expect(tt.send, tt.answer, tt.acts)
	}
}

// TestModemState tells the client of lines as it wants, and once.
func TestModemState(t *testing.T) {
	b := agree(t, nil)
	told := func(in serial.Lines, want string) {
		t.Helper()
		b.session.Lines(in)
		b.expect("", want, "")
	}
	told(serial.CTS|serial.DSR|serial.DCD, sub("\x6b\xbb"))
	told(serial.CTS|serial.DSR|serial.DCD, "")
	told(serial.CTS|serial.DSR|serial.DCD|serial.RI, sub("\x6b\xf0"))
	told(serial.DSR|serial.DCD, sub("\x6b\xa5"))
	b.expect(sub("\x07"), sub("\x6b\xa0"), "")
	b.expect(sub("\x0b\x10"), sub("\x6f\x10"), "")
	told(0, "")
	told(serial.CTS, sub("\x6b\x10"))
}

// TestLineState tells of errors, and of a transmitter that has nothing to do.
func TestLineState(t *testing.T) {
	b := agree(t, nil)
	b.session.Receive([]byte("a"), serial.ParityError)
	b.expect("", "a", "")
	b.expect(sub("\x0a\x7f"), sub("\x6e\x7f"), "")
	b.session.Receive([]byte("bc"), serial.ParityError)
	b.session.Receive([]byte("d"), serial.FramingError)
	b.session.Receive([]byte("\x00"), serial.FramingError|serial.Break)
	b.session.Receive([]byte("e\xff"), 0)
	b.expect("", sub("\x6a\x04")+"bc"+sub("\x6a\x08")+"d"+sub("\x6a\x18")+"\x00"+"e\xff\xff", "")
	b.expect("x", sub("\x6a\x60"), "x")
}

// TestPlain is a client that has never heard of telnet, and one that only has of that.
func TestPlain(t *testing.T) {
	b := start(t, nil)
	b.write("a\r\x00b")
	b.session.Lines(serial.CTS)
	b.session.Receive([]byte("back"), serial.ParityError)
	if got := b.read(4); got != "back" {
		t.Errorf("it reads %q", got)
	}
	b.expect("\xff\xfd\x01\xff\xfd\x03", "\xff\xfb\x01\xff\xfb\x03", "<open><set 9600 8N1 none>a\r\x00b")
	b.expect("c\r\x00\xff\xf6", "\r\n[Backplane]\r\n", "c\r")
	b.expect("\xff\xfb\x00d\r\x00\xff\xf6", "\xff\xfd\x00\r\n[Backplane]\r\n", "d\r\x00")
}

// TestSendAhead lets a client wait for the line.
func TestSendAhead(t *testing.T) {
	b := start(t, func(b *bench) { b.stuck = true })
	all, written := bytes.Repeat([]byte("x"), 3*sendAhead), make(chan bool)
	go func() {
		_, _ = b.client.Write(all)
		close(written)
	}()
	wait(t, func() bool { return b.session.credit.Waiting() == sendAhead })
	for sent := range 3 * sendAhead / 1024 {
		wait(t, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.sent == min(len(all), sendAhead+1024*sent)
		})
		b.session.Sent(1024)
	}
	<-written
	if n := b.session.credit.Waiting(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// TestLeaving: what a client has sent goes over the line before it is said to have gone.
func TestLeaving(t *testing.T) {
	b := start(t, func(b *bench) { b.stuck = true })
	b.write("last")
	b.client.Close()
	wait(t, func() bool { return b.session.credit.Waiting() == 4 })
	if got := b.did(); got != "<open><set 9600 8N1 none>last" {
		t.Errorf("at first: %s", got)
	}
	b.session.Sent(4)
	if err := <-b.over; err != nil || b.did() != "<close>" {
		t.Errorf("error %v", err)
	}
}

// TestSlowReader loses data for a client that reads none, and tells it; with hardware flow
// control it lowers RTS before.
func TestSlowReader(t *testing.T) {
	b := agree(t, nil)
	b.expect(sub("\x05\x10"), sub("\x69\x10"), "")
	b.expect(sub("\x0a\x02"), sub("\x6e\x02"), "")
	b.write(sub("\x08"))
	p := make([]byte, 1000)
	b.session.Receive(p, 0)
	b.expect("", "", "")
	for range 2 * maxData / len(p) {
		b.session.Receive(p, 0)
	}
	wait(t, func() bool { return b.did() == "<lines dtr>" })
	if waiting := b.session.out.waiting(); waiting > maxData || waiting < maxData-len(p) {
		t.Errorf("%d bytes wait", waiting)
	}
	if got := b.read(7); got != sub("\x6a\x02") {
		t.Errorf("it is told %q", got)
	}
	if err := b.client.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(b.client, sub("\x09"))
		written <- err
	}()
	zeros := 0
	for buf := make([]byte, 1<<16); zeros < maxData-len(p); {
		n, err := b.client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		zeros += bytes.Count(buf[:n], []byte{0})
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return b.did() == "<lines rts dtr>" })
}

// TestFlood leaves a client that asks and never reads.
func TestFlood(t *testing.T) {
	b := agree(t, nil)
	if err := b.client.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for range maxAnswer {
		if _, err := io.WriteString(b.client, sub("\x00")); err != nil {
			break
		}
	}
	if err := <-b.over; err != nil {
		t.Error(err)
	}
	if n := len(b.session.out.buf); n > maxAnswer+maxParameters {
		t.Errorf("%d bytes wait", n)
	}
}

// wait waits for what another goroutine does.
func wait(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to be")
		}
	}
}
