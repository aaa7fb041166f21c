package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"backplane/tests/guesttest"
)

// onLoop is a program that finds its port's output at its input, RTS at CTS, and DTR at DSR and
// DCD, as with pyserial's own tests.
const onLoop = `
import serial, sys, termios, threading, time
from serial.rs485 import RS485Settings
port = sys.argv[1]
def settle(): # inputs are those that the last interrupt has told of
    time.sleep(0.05)
def echo(s, data):
    s.write(data)
    got = s.read(len(data))
    assert got == data, (s, data, got)
with serial.Serial(port, 19200, parity="E", timeout=5) as s: # as programs of Modbus RTU open it
    for baud in 57600, 250000, 921600, 4000000:
        s.baudrate = baud
        for size, highest in (8, 256), (7, 128), (6, 64), (5, 32):
            s.bytesize = size
            for s.parity in "NEOMS":
                for s.stopbits in 1, 2:
                    echo(s, bytes(range(highest)))
    s.bytesize, s.parity, s.stopbits, s.baudrate = 8, "N", 1, 50
    echo(s, b"s")
    s.baudrate = 9600
    assert s.cts and s.dsr and s.cd and not s.ri, (s.cts, s.dsr, s.cd, s.ri)
    s.dtr = False; settle()
    assert s.cts and not s.dsr and not s.cd, (s.cts, s.dsr, s.cd)
    s.dtr = True; settle()
    s.rts = False; settle()
    assert not s.cts and s.dsr and s.cd, (s.cts, s.dsr, s.cd)
    s.rts = True; settle()
    begin = time.monotonic()
    s.write(bytes(480))
    waiting = s.out_waiting
    s.flush() # tcdrain
    took = time.monotonic() - begin
    assert 0 < waiting <= 480 and s.out_waiting == 0 and took > 0.499, (waiting, took)
    assert s.read(480) == bytes(480) and s.in_waiting == 0
    s.send_break(0.1)
    assert s.read(1) == b"\0" # a break
    s.rtscts = True
    echo(s, b"flow")
    s.rtscts, s.xonxoff = False, True
    echo(s, b"control")
    s.xonxoff = False
    s.timeout = None
    threading.Timer(0.2, s.cancel_read).start()
    assert s.read(1) == b""
    s.timeout, s.write_timeout = 5, 0.2
    try:
        s.write(bytes(20000))
        assert False, "20 s of bytes are written in 0.2 s"
    except serial.SerialTimeoutException:
        s.reset_output_buffer()
    s.rs485_mode = RS485Settings(delay_before_tx=0.01)
    s.reset_input_buffer()
print("good")
`

// TestPyserial: pyserial, in a guest, finds what it can set in effect on the line. It tries what
// pyserial's own suite tries of one port, which is in none of Debian's packages: see TestPyserialSuite.
func TestPyserial(t *testing.T) {
	const python, library = "/usr/bin/python3", "/usr/lib/python3" // Debian's, which has python3-serial
	real, err := filepath.EvalSymlinks(python)
	if err != nil {
		t.Fatal(err)
	}
	root := guesttest.Rootfs(t, real)
	if err := os.MkdirAll(filepath.Join(root, library, "dist-packages"), 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{filepath.Join("/usr/lib", filepath.Base(real)): "/usr/lib", library + "/dist-packages/serial": library + "/dist-packages"} {
		if out, err := exec.Command("cp", "-a", from, filepath.Join(root, to)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	fillRoot(t, root, map[string]string{"root/loop.py": onLoop})
	// A bus of one is a loop: it hears its echo. Modem lines are joined on the board.
	board := fmt.Sprintf("name = \"a\"\nmemory = \"256M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[gpio]]\nname = \"g\"\nlines = [\"rts\", \"dtr\"]\n"+
		"[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\ndriver_enable = \"rts\"\npins = { rts = \"g.rts\", cts = \"g.rts\", dtr = \"g.dtr\", dsr = \"g.dtr\", dcd = \"g.dtr\" }\n", root)
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"a.toml": board, "main.toml": "name = \"bus\"\n[[board]]\nfile = \"a.toml\"\n[[rs485]]\nname = \"loop\"\nports = [\"a.uart1\"]\n"}, o)
		if out := app.Do("a", real, "/root/loop.py", "/dev/ttyS1"); out != "good\n" {
			t.Errorf("it says %s", out)
		}
	})
}
