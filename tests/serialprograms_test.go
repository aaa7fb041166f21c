package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestDriverEnable: a program answers over an RS-485 bus, with a GPIO line as its driver's
// enable. If it lowers the line after tcdrain, the answer is whole; if it does so when write
// has returned, or some time later that is too short, the last characters are lost.
func TestDriverEnable(t *testing.T) {
	const answer = "an-answer-of-more-than-forty-characters-of-a-meter" // 50, 52 ms at 9600 baud
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	board := fmt.Sprintf("[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"led\", \"de\"]\n"+
		"[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nreceiver = \"inverse\"\n", guesttest.Rootfs(t, tty))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{
			"plc.toml":   "name = \"plc\"\n" + board + "driver_enable = \"rts\"\nrs485 = true\n",
			"meter.toml": "name = \"meter\"\n" + board + "driver_enable = \"gpio0.de\"\n",
			"main.toml": "name = \"bus\"\n[[board]]\nfile = \"plc.toml\"\n[[board]]\nfile = \"meter.toml\"\n" +
				"[[rs485]]\nname = \"bus\"\nports = [\"plc.uart1\", \"meter.uart1\"]\n"}, o)
		ask := func(t *testing.T, until string) string {
			t.Helper()
			meter := app.StartCommand("meter", append(append([]string{"tty", "/dev/ttyS1", "gpio=/dev/gpiochip0:1", "rate=9600", "wait=10s", "read=5",
				"sleep=5ms", "line=high", "say=" + answer}, strings.Fields(until)...), "line=low")...)
			setTo(app, "meter", "9600 8N1")
			plc := app.Do("plc", "tty", "/dev/ttyS1", "rate=9600", "say=value", "read=50")
			wants(t, meter.Wait().Stdout, `read "value"`, "line high", "line low")
			_, got, _ := strings.Cut(plc, "read ")
			got, _, _ = strings.Cut(got, "\n")
			return got
		}
		t.Run("after tcdrain", func(t *testing.T) {
			if got := ask(t, "drain"); got != fmt.Sprintf("%q", answer) {
				t.Errorf("it reads %s", got)
			}
		})
		t.Run("after 20 ms", func(t *testing.T) {
			got := ask(t, "sleep=20ms")
			if !strings.HasPrefix(got, `"`+answer[:10]) || strings.Contains(got, answer[40:]) {
				t.Errorf("it reads %s", got)
			}
		})
		t.Run("after write", func(t *testing.T) {
			if got := ask(t, ""); strings.Contains(got, answer[40:]) {
				t.Errorf("it reads %s", got)
			}
		})
	})
}

// TestModbusGPIO has mbpoll ask a server of Modbus RTU at 19200 8E1 whose driver is enabled by a
// GPIO line, which the server drives itself.
func TestModbusGPIO(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	board := fmt.Sprintf("[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"de\"]\n"+
		"[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nreceiver = \"inverse\"\n", guesttest.Rootfs(t, "mbpoll", tty))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{
			"plc.toml":   "name = \"plc\"\n" + board + "driver_enable = \"rts\"\nrs485 = true\n",
			"meter.toml": "name = \"meter\"\n" + board + "driver_enable = \"gpio0.de\"\n",
			"main.toml": "name = \"bus\"\n[[board]]\nfile = \"plc.toml\"\n[[board]]\nfile = \"meter.toml\"\n" +
				"[[rs485]]\nname = \"bus\"\nports = [\"plc.uart1\", \"meter.uart1\"]\n"}, o)
		app.StartCommand("meter", "tty", "/dev/ttyS1", "gpio=/dev/gpiochip0:0", "rate=19200", "even", "modbus")
		setTo(app, "meter", "19200 8E1")
		out := app.Do("plc", "mbpoll", "-m", "rtu", "-a", "1", "-b", "19200", "-P", "even", "-r", "1", "-c", "100", "-1", "/dev/ttyS1")
		wants(t, out, "[1]: \t100", "[50]: \t149", "[100]: \t199")
	})
}

// TestPPP: two pppds with CRTSCTS and modem lines make a network of a serial link. What goes over
// it is whole, and when one of them dies the other sees its carrier go.
func TestPPP(t *testing.T) {
	root := guesttest.Rootfs(t, "pppd")
	fillRoot(t, root, map[string]string{"etc/ppp/options": "", "root/file": strings.Repeat("a line of a file\n", 2048)})
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(root, 115200), o)
		ppp := func(board, addresses string) *guesttest.Command {
			return app.StartCommand(board, "/bin/sh", "-c", "mkdir -p /var/run; exec pppd /dev/ttyS1 115200 crtscts modem noauth nodetach "+addresses)
		}
		a := ppp("a", "10.9.0.1:10.9.0.2")
		app.Sleep(100 * time.Millisecond)
		ppp("b", "10.9.0.2:10.9.0.1")
		app.Sh("a", "until ip addr show ppp0 2>/dev/null | grep -q peer; do sleep 0.1; done")
		app.Sh("b", "until ip addr show ppp0 2>/dev/null | grep -q peer; do sleep 0.1; done")
		wants(t, app.Sh("a", "stty -a -F /dev/ttyS1"), "speed 115200", "-clocal crtscts")
		listen := app.StartCommand("b", "/bin/sh", "-c", "mkfifo /tmp/in; nc -l -p 7 <>/tmp/in >/tmp/file; cmp /tmp/file /root/file && echo whole || true")
		listens(app, "b")
		app.Sh("a", "nc 10.9.0.2 7 </root/file") // which ends if the other has nothing more to say, whatever is left
		if got := listen.Wait(); got.Stdout != "whole\n" {
			t.Errorf("b has not the file: %+v", got)
		}
		for _, b := range app.Boards() {
			if got := app.MustGet(b + ".uart1.overrun"); got != "0" {
				t.Errorf("%s has lost %s bytes", b, got)
			}
		}
		app.Sh("b", "kill -9 $(cat /var/run/ppp0.pid)") // which says nothing to the other
		if got := a.Wait(); got.Status != 16 {          // its man page: the modem hung up
			t.Errorf("pppd ends with status %d and says\n%s", got.Status, got.Stdout)
		}
	})
}

// fillRoot writes files into a root file system.
func fillRoot(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// numbered is a file of so many lines of 11 bytes.
func numbered(lines int) string {
	var file strings.Builder
	for i := range lines {
		fmt.Fprintf(&file, "line %05d\n", i)
	}
	return file.String()
}

// TestZmodem sends a file by ZMODEM, whose receiver does not run for two seconds meanwhile. It
// has set IXOFF, and so the sender waits.
func TestZmodem(t *testing.T) {
	root := guesttest.Rootfs(t, "sz", "rz")
	fillRoot(t, root, map[string]string{"root/file": numbered(16384)})
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(root, 460800), o)
		for _, b := range app.Boards() {
			app.Sh(b, "stty -F /dev/ttyS1 460800 raw -echo crtscts")
		}
		rz := app.StartCommand("b", "/bin/sh", "-c", "cd /tmp; sh -c 'echo $$ >pid; exec rz -q </dev/ttyS1 >/dev/ttyS1'; cmp file /root/file && echo whole || true")
		app.Sleep(200 * time.Millisecond)
		sz := app.StartCommand("a", "/bin/sh", "-c", "sz -q /root/file </dev/ttyS1 >/dev/ttyS1")
		app.Sleep(time.Second)
		app.Sh("b", "kill -STOP $(cat /tmp/pid); sleep 2; kill -CONT $(cat /tmp/pid)")
		if got := rz.Wait(); got.Stdout != "whole\n" {
			t.Errorf("rz: %+v", got)
		}
		if got := sz.Wait(); got.Status != 0 {
			t.Errorf("sz: %+v", got)
		}
		if lost := app.MustGet("b.uart1.overrun"); lost != "0" {
			t.Errorf("b has lost %s bytes", lost)
		}
		if !happened(app, "b", serial.KindTx, "data", "\x13") || !happened(app, "b", serial.KindTx, "data", "\x11") {
			t.Errorf("b has not sent XOFF and XON")
		}
	})
}

// happened tells whether there was an event of a kind with that attribute.
func happened(app *guesttest.App, board, kind, key, want string) bool {
	return slices.ContainsFunc(app.Events(), func(e simbus.Event) bool {
		got, _ := e.Get(key)
		return e.Board == board && e.Kind == kind && got == want
	})
}

// TestRTS: of a program that does not read for three seconds nothing is lost with CRTSCTS, since
// RTS stops the sender. Without it the kernel's buffers, 640 KiB, run over.
func TestRTS(t *testing.T) {
	root := guesttest.Rootfs(t)
	fillRoot(t, root, map[string]string{"root/short": numbered(16384), "root/long": numbered(131072)})
	for _, tt := range []struct {
		flow, baud, file string
		real             bool
	}{
		{"crtscts", "4000000", "/root/long", false},
		{"-crtscts", "4000000", "/root/long", false},
		{"crtscts", "460800", "/root/short", true}, // faster, a busy host is late for the FIFO
	} {
		t.Run(fmt.Sprintf("%s real %v", tt.flow, tt.real), func(t *testing.T) {
			app := guesttest.Run(t, serialPair(root, 9600), guesttest.Options{Real: tt.real})
			for _, b := range app.Boards() {
				app.Sh(b, "stty -F /dev/ttyS1 "+tt.baud+" raw -echo "+tt.flow)
			}
			app.StartCommand("b", "/bin/sh", "-c", "exec 3</dev/ttyS1; sleep 3; cat <&3 >/tmp/file")
			app.Sleep(100 * time.Millisecond)
			app.Sh("a", "cat "+tt.file+" >/dev/ttyS1") // whose close waits for the line
			got := app.Sh("b", "sleep 1; cmp /tmp/file "+tt.file+" 2>&1 && echo whole || true")
			stopped := happened(app, "b", serial.KindLines, "lines", "dtr cts dsr dcd")
			if whole := got == "whole\n"; whole != (tt.flow == "crtscts") || stopped != whole {
				t.Errorf("RTS stops the sender: %v; the file: %s", stopped, got)
			}
		})
	}
}

// TestMinicom: minicom opens a port as its settings say, and a script of runscript talks to a
// program at the other end.
func TestMinicom(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	root := guesttest.Rootfs(t, "minicom", "runscript", "script", tty)
	guesttest.AddDir(t, root, "/lib/terminfo/v")
	fillRoot(t, root, map[string]string{
		"etc/minicom/minirc.dfl": "pu port /dev/ttyS1\npu baudrate 19200\npu bits 7\npu parity E\npu stopbits 1\npu rtscts Yes\npu minit\npu mreset\n",
		"etc/passwd":             "root:x:0:0::/root:/bin/sh\n",
		"root/ask":               "verbose off\nsend \"value?\"\nexpect {\n\"42\" break\ntimeout 5 exit 1\n}\n! echo understood >/tmp/result\n! kill $(cat /tmp/pid)\n",
	})
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(root, 9600), o)
		answer := app.StartCommand("b", "tty", "/dev/ttyS1", "rate=19200", "seven", "even", "mark", "wait=10s", "read=7", "say=42", "drain", "counters")
		setTo(app, "b", "19200 7E1")
		// script gives it a terminal, and ^D when its own input ends.
		out := app.Sh("a", "sleep 2 | TERM=vt100 script -qec \"sh -c 'echo \\$\\$ >/tmp/pid; exec minicom -o -S /root/ask'\" /dev/null 2>&1; cat /tmp/result")
		wants(t, out, "Welcome to minicom", "understood")
		wants(t, answer.Wait().Stdout, `read "value?\r"`, "frame 0 parity 0 break 0")
		if !happened(app, "a", serial.KindFormat, "format", "7E1") {
			t.Errorf("minicom has not set 7E1")
		}
	})
}
