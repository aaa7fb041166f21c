package hostpty

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"

	"golang.org/x/sys/unix"
)

// bench is a pseudo terminal at a line that notes what is done.
type bench struct {
	t *testing.T
	*Pty

	mu    sync.Mutex
	acts  string
	stuck bool // nothing goes over the line
}

// Do notes an act: bytes without the word.
func (b *bench) Do(a outlet.Act) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.Do != outlet.Send {
		b.acts += "<" + a.Text() + ">"
		return nil
	}
	if b.acts += string(a.Data); !b.stuck {
		b.Sent(len(a.Data))
	}
	return nil
}

// expect waits until just that has been done since it was asked last.
func (b *bench) expect(want string) {
	b.t.Helper()
	var got string
	wait(b.t, func() string { return "done: " + got + ", want " + want }, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if got = b.acts; got != want {
			return false
		}
		b.acts = ""
		return true
	})
}

// wait waits for what another goroutine does.
func wait(t *testing.T, what func() string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what())
		}
	}
}

func start(t *testing.T, frame, link string) *bench {
	t.Helper()
	f, err := outlet.ParseFrame(frame)
	if err != nil {
		t.Fatal(err)
	}
	f.Rate = serial.Baud(9600)
	p, err := Open(link, outlet.Settings{Format: f})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, Pty: p}
	if err := p.Serve(func(outlet.Program) (outlet.Line, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return b
}

// program opens the terminal.
func (b *bench) program() *os.File {
	b.t.Helper()
	f, err := os.OpenFile(b.Name(), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { f.Close() })
	return f
}

// change changes a program's settings.
func (b *bench) change(f *os.File, change func(*unix.Termios)) {
	b.t.Helper()
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS2)
	if err == nil {
		change(t)
		err = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS2, t)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) write(f *os.File, text string) {
	b.t.Helper()
	if _, err := io.WriteString(f, text); err != nil {
		b.t.Fatal(err)
	}
}

// TestPrograms come one after another: each raises the lines, finds what was set last, and is
// heard to its last byte.
func TestPrograms(t *testing.T) {
	b := start(t, "8N1", "")
	first := b.program()
	b.expect("<open><set 9600 8N1 none>")
	b.write(first, "all\x00\xff\r\n\x11\x13\x03bytes")
	b.expect("all\x00\xff\r\n\x11\x13\x03bytes")
	b.Receive([]byte("back\r\x00\xff\x04\n"), 0)
	p := make([]byte, 9)
	if _, err := io.ReadFull(first, p); err != nil || string(p) != "back\r\x00\xff\x04\n" {
		t.Errorf("it reads %q: %v", p, err)
	}
	b.change(first, func(t *unix.Termios) { t.Cflag |= unix.CSTOPB; t.Ospeed = 500_000 })
	b.expect("<set 500000 8N2 none>")
	b.mu.Lock()
	b.stuck = true
	b.mu.Unlock()
	b.write(first, "last")
	first.Close()
	b.expect("last")
	b.Sent(4)
	b.expect("<close>")
	b.Receive([]byte("for nobody"), 0)
	second := b.program()
	b.expect("<open><set 500000 8N2 none>")
	b.Receive([]byte("for it"), 0)
	if n, err := second.Read(p); err != nil || string(p[:n]) != "for it" {
		t.Errorf("it reads %q: %v", p[:n], err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if n, err := second.Read(p); n > 0 || !errors.Is(err, io.EOF) && !errors.Is(err, unix.EIO) {
		t.Errorf("after the end %d bytes are read: %v", n, err)
	}
}

// TestSettings follows what a program can let it see.
func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		frame string
		set   func(*unix.Termios)
		want  string
	}{
		{"8N1", func(t *unix.Termios) { t.Cflag = t.Cflag&^unix.CBAUD | unix.B115200 }, "115200 8N1 none"},
		{"8N1", func(t *unix.Termios) { t.Ospeed = 123_456 }, "123456 8N1 none"},
		{"8N1", func(t *unix.Termios) { t.Cflag |= unix.PARENB | unix.PARODD }, "9600 8O1 none"},
		{"8N1", func(t *unix.Termios) { t.Cflag |= unix.PARENB | unix.PARODD | unix.CMSPAR }, "9600 8M1 none"},
		{"8N1", func(t *unix.Termios) { t.Cflag |= unix.PARENB | unix.CMSPAR }, "9600 8S1 none"},
		{"8O1", func(t *unix.Termios) { t.Cflag &^= unix.PARENB | unix.PARODD }, "9600 8N1 none"},
		{"7E1", func(t *unix.Termios) { t.Cflag |= unix.CSTOPB }, "9600 7E2 none"},
		{"5N1", func(t *unix.Termios) { t.Cflag |= unix.CSTOPB }, "9600 5N1.5 none"},
		{"8N1", func(t *unix.Termios) { t.Cflag |= unix.CRTSCTS }, "9600 8N1 rtscts"},
		{"8N1", func(t *unix.Termios) { t.Iflag |= unix.IXON }, "9600 8N1 xonxoff"},
	} {
		b := start(t, tt.frame, "")
		f := b.program()
		b.expect("<open><set 9600 " + tt.frame + " none>")
		b.change(f, tt.set)
		b.write(f, "x")
		b.expect("<set " + tt.want + ">x")
	}
}

// TestInvisible: what Linux does not let be seen. If this fails, more can be had.
func TestInvisible(t *testing.T) {
	b := start(t, "8N1", "")
	f := b.program()
	b.change(f, func(t *unix.Termios) { t.Cflag = t.Cflag&^unix.CSIZE | unix.CS7 | unix.PARENB })
	master, err := unix.IoctlGetTermios(b.master, unix.TCGETS2)
	if err != nil || master.Cflag&unix.CSIZE != unix.CS8 || master.Cflag&unix.PARENB != 0 {
		t.Errorf("flags %#o, %v", master.Cflag, err)
	}
	if _, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCMGET); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("modem lines: %v", err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 0); err != nil {
		t.Errorf("a break: %v", err)
	}
	b.write(f, "x")
	b.expect("<open><set 9600 8N1 none>x")
}

// TestLowered: the rate 0 lowers the outputs, and another one raises them.
func TestLowered(t *testing.T) {
	b := start(t, "8N1", "")
	f := b.program()
	b.expect("<open><set 9600 8N1 none>")
	b.change(f, func(t *unix.Termios) { t.Cflag = t.Cflag&^unix.CBAUD | unix.B0 })
	b.expect("<lines>")
	b.change(f, func(t *unix.Termios) { t.Cflag = t.Cflag&^unix.CBAUD | unix.B19200 })
	b.expect("<set 19200 8N1 none><lines rts dtr>")
}

// TestFlush drops what waits both ways, also where nothing can be sent.
func TestFlush(t *testing.T) {
	b := start(t, "8N1", "")
	b.mu.Lock()
	b.stuck = true
	b.mu.Unlock()
	f := b.program()
	b.write(f, strings.Repeat("x", sendAhead))
	b.expect("<open><set 9600 8N1 none>" + strings.Repeat("x", sendAhead))
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCOFLUSH); err != nil {
		t.Fatal(err)
	}
	b.expect("<purge>")
	b.Sent(sendAhead) // as a line does that drops it
	b.write(f, "y")
	b.expect("y")
	full := make([]byte, maxData)
	b.Receive(full, 0)
	wait(t, func() string { return "the kernel takes nothing" }, func() bool { return b.out.waiting() < maxData })
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH); err != nil {
		t.Fatal(err)
	}
	wait(t, func() string { return "it waits" }, func() bool { return b.out.waiting() == 0 })
}

// TestSlowReader loses what a program does not take, and lowers RTS before if it may.
func TestSlowReader(t *testing.T) {
	b := start(t, "8N1", "")
	f := b.program()
	b.expect("<open><set 9600 8N1 none>")
	b.change(f, func(t *unix.Termios) { t.Cflag |= unix.CRTSCTS })
	b.expect("<set 9600 8N1 rtscts>")
	for range 100 {
		b.Receive(make([]byte, 4096), 0)
	}
	b.expect("<lines dtr>")
	if n := b.out.waiting(); n > maxData {
		t.Errorf("%d bytes wait", n)
	}
	buf := make([]byte, 1<<16)
	for total := 0; total < maxData; {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	b.expect("<lines rts dtr>")
}

// TestLink leads to the terminal while that is there, and takes the place of no file.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "modem")
	if err := os.Symlink("/dev/pts/9999", link); err != nil {
		t.Fatal(err)
	}
	b := start(t, "8N1", link)
	if b.Name() != link {
		t.Errorf("it is called %s", b.Name())
	}
	b.write(b.program(), "x")
	b.expect("<open><set 9600 8N1 none>x")
	if _, err := Open(link, b.base); err == nil || err.Error() != link+" is in use: it leads to "+b.slave {
		t.Errorf("a second one: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link is left: %v", err)
	}
	if err := os.WriteFile(link, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(link, b.base); err == nil || err.Error() != link+" is there, and is no link to a terminal" {
		t.Errorf("in place of a file: %v", err)
	}
}
