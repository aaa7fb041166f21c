package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"
)

// hostSerial starts a board that sends back what it receives on two ports at 9600 baud: one
// is a pseudo terminal of the host, the other has RFC 2217 on a Unix socket. It returns where
// they are.
func hostSerial(t *testing.T, o guesttest.Options) (app *guesttest.App, pty, socket string) {
	t.Helper()
	dir := t.TempDir()
	pty, socket = filepath.Join(dir, "pty"), filepath.Join(dir, "socket")
	app = guesttest.Run(t, map[string]string{
		"board.toml": fmt.Sprintf(`name = "modem"
[firmware]
rootfs = [%q]
[[serial]]
name = "uart1"
baud = 9600
[[serial]]
name = "uart2"
baud = 9600
`, guesttest.Rootfs(t)),
		"main.toml": fmt.Sprintf(`name = "desk"
paced = true
[[board]]
name = "b"
file = "board.toml"
[[serial]]
name = "terminal"
ports = ["b.uart1"]
pty = %q
[[serial]]
name = "net"
ports = ["b.uart2"]
listen = "unix:%s"
`, pty, socket)}, o)
	for _, tty := range strings.Fields(app.Sh("b", "echo /dev/ttyS*")) {
		app.Sh("b", "stty -F "+tty+" 9600 raw -echo </dev/null")
		app.StartCommand("b", "sh", "-c", "cat <"+tty+" >"+tty)
	}
	return app, pty, socket
}

// onHost runs a program of this machine while time goes on, and returns its output.
func onHost(t *testing.T, app *guesttest.App, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if name == "python3" {
		path, err = "/usr/bin/python3", nil // Debian's, which has python3-serial
	}
	if err != nil {
		t.Fatalf("%v: tools/packages installs what the tests need", err)
	}
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	cmd := exec.Command(path, args...)
	go func() {
		out, err := cmd.CombinedOutput()
		done <- result{out, err}
	}()
	for end := time.Now().Add(time.Minute); ; app.Sleep(10 * time.Millisecond) {
		select {
		case r := <-done:
			if r.err != nil {
				t.Fatalf("%s: %v\n%s", name, r.err, r.out)
			}
			return string(r.out)
		default:
		}
		if time.Now().After(end) {
			_ = cmd.Process.Kill()
			t.Fatalf("%s does not end", name)
		}
	}
}

// bothClocks runs a test in real time, and in virtual time that is held to the host's clock.
func bothClocks(t *testing.T, test func(t *testing.T, o guesttest.Options)) {
	for _, real := range []bool{false, true} {
		t.Run(map[bool]string{false: "virtual", true: "real"}[real], func(t *testing.T) { test(t, guesttest.Options{Real: real}) })
	}
}

const pyserial = `
import serial, socket, sys, threading
def relay(path):
    # pyserial's rfc2217 speaks TCP only: a port that leads to the Unix socket
    l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
    def pump(a, b):
        while True:
            d = a.recv(4096)
            if not d: break
            b.sendall(d)
        b.shutdown(socket.SHUT_WR)
    def serve():
        while True:
            c, _ = l.accept()
            u = socket.socket(socket.AF_UNIX); u.connect(path)
            threading.Thread(target=pump, args=(c, u), daemon=True).start()
            threading.Thread(target=pump, args=(u, c), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return "rfc2217://127.0.0.1:%d" % l.getsockname()[1]
def echo(s, data):
    s.write(data)
    got = s.read(len(data))
    assert got == data, (data, got)
where = sys.argv[1]
net = not where.startswith("/dev/") and sys.argv[2] == "net"
s = serial.serial_for_url(relay(where) if net else where, baudrate=9600, timeout=5)
echo(s, b"all\x00\x01\xff\xff\r\n\x11\x13bytes")
echo(s, bytes(range(256)))
s.baudrate = 4800
s.timeout = 1
s.write(b"UUUU")
got = s.read(4)
assert got != b"UUUU" and got, got
s.baudrate = 9600
s.timeout = 5
s.reset_input_buffer()
echo(s, b"again")
s.stopbits = 2
echo(s, b"two")
if net:
    assert s.cts and s.dsr and s.cd and not s.ri, (s.cts, s.dsr, s.cd, s.ri)
    s.parity = "E"
    s.timeout = 1
    s.write(b"\x01")
    s.read(10)
    s.parity = "N"
    s.send_break(0.1)
    s.dtr = False
    s.dtr = True
    s.timeout = 5
s.reset_input_buffer()
echo(s, b"last")
s.close()
print("good")
`

// TestHostSerialPyserial: pyserial opens the port both ways, and finds all that they carry.
func TestHostSerialPyserial(t *testing.T) {
	bothClocks(t, func(t *testing.T, o guesttest.Options) {
		app, pty, socket := hostSerial(t, o)
		script := filepath.Join(t.TempDir(), "client.py")
		if err := os.WriteFile(script, []byte(pyserial), 0o600); err != nil {
			t.Fatal(err)
		}
		for way, where := range map[string]string{"pty": pty, "net": socket} {
			if out := onHost(t, app, "python3", script, where, way); out != "good\n" {
				t.Errorf("%s: it says %q", way, out)
			}
		}
		for _, want := range []string{`"uart.rx","data_hex":"00","error":"break"`, `"uart.host","act":"break on"`, `"uart.host","act":"lines rts"`,
			`"uart.host","act":"set 9600 8E2 none"`, `"uart.host","act":"set 4800 8N1 none"`} {
			found := false
			for _, e := range app.Events() {
				found = found || strings.Contains(string(e.AppendJSON(nil)), want)
			}
			if !found {
				t.Errorf("no event has %s", want)
			}
		}
	})
}

// TestHostSerialPrograms: socat and picocom, and one who knows nothing of telnet.
func TestHostSerialPrograms(t *testing.T) {
	bothClocks(t, func(t *testing.T, o guesttest.Options) {
		app, pty, socket := hostSerial(t, o)
		for _, tt := range []struct{ name, script string }{
			{"socat at the pseudo terminal", "printf 'via pty\\n' | socat -t 1 - " + pty + ",b9600,raw,echo=0"},
			{"socat at the socket", "printf 'via socket\\n' | socat -t 1 - UNIX-CONNECT:" + socket},
			{"picocom", "picocom -q -b 9600 --noreset -x 500 -t via' picocom' " + pty + " </dev/null"},
		} {
			if out := onHost(t, app, "sh", "-c", tt.script); !strings.Contains(out, "via ") {
				t.Errorf("%s reads %q", tt.name, out)
			}
		}
	})
}
