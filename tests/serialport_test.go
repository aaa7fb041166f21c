package tests

import (
	"fmt"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// wants checks that an output has lines that end in what is wanted, in that order.
func wants(t *testing.T, output string, want ...string) {
	t.Helper()
	rest := output
	for _, w := range want {
		i := strings.Index(rest, w)
		if i < 0 {
			t.Errorf("the output has no %q, or not there:\n%s", w, output)
			return
		}
		rest = rest[i+len(w):]
	}
}

// TestStty has GNU stty set what there is to set, and read it back: the port has it.
func TestStty(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, "/usr/bin/stty"), 115200), o)
		for _, tt := range []struct{ set, rate, format string }{
			{"115200", "115200", "8N1"}, {"50", "50", "8N1"}, {"134", "134", "8N1"}, {"9600", "9600", "8N1"},
			{"4000000", "4000000", "8N1"}, {"19200 parenb -parodd", "19200", "8E1"}, {"parenb parodd", "19200", "8O1"},
			{"parenb -parodd cmspar", "19200", "8S1"}, {"parodd cmspar", "19200", "8M1"}, {"-parenb -cmspar cs7 cstopb", "19200", "7N2"},
			{"cs5 cstopb", "19200", "5N1.5"}, {"cs6 -cstopb parenb", "19200", "6O1"},
		} {
			app.Do("a", append([]string{"/usr/bin/stty", "-F", "/dev/ttyS1"}, strings.Fields(tt.set)...)...)
			if got := app.MustGet("a.uart1.format"); got != tt.format {
				t.Errorf("stty %s: the format is %s, want %s", tt.set, got, tt.format)
			}
			if got := app.Sh("a", "/usr/bin/stty -F /dev/ttyS1 speed"); strings.TrimSpace(got) != tt.rate {
				t.Errorf("stty %s: the rate reads back as %s, want %s", tt.set, got, tt.rate)
			}
		}
		for _, setting := range strings.Fields("hupcl -hupcl cread crtscts -crtscts clocal -clocal clocal ixon -ixon ixoff -ixoff ixany inpck ignpar parmrk brkint ignbrk raw -raw sane") {
			app.Do("a", "/usr/bin/stty", "-F", "/dev/ttyS1", setting)
		}
	})
}

// TestSerialEnd: tcdrain, TIOCOUTQ and close go by the last stop bit, in virtual time to the
// character.
func TestSerialEnd(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, tty), 9600), guesttest.Options{Seed: 1})
	out := app.Do("a", "tty", "/dev/ttyS1", "rate=9600", "zeros=960", "outq", "sleep=500ms", "outq", "drain", "outq", "zeros=96")
	wants(t, out, " outq 960", "0.50", " outq 480", "1.000", " drained", " outq 0", "1.100", " closed")
}

// TestSerialErrors: what two ends make of one another that do not agree, or that break.
func TestSerialErrors(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, tty), 9600), o)
		for _, tt := range []struct {
			name, send, receive, set string
			want                     []string
		}{
			{"the same", "rate=19200 even say=hello drain", "rate=19200 even mark read=5", "19200 8E1", []string{`read "hello"`, "frame 0 parity 0 break 0"}},
			{"another parity", "rate=19200 odd say=odd drain", "rate=19200 even mark read=9", "19200 8E1", []string{`read "\xff\x00o\xff\x00d\xff\x00d"`, "frame 0 parity 3 break 0"}},
			{"another rate", "rate=9600 say=U drain", "rate=115200 mark read=90", "115200 8N1", []string{`read "\xff\x00`, "rx 5 tx 0 frame 0 parity 0 break 5"}},
			{"a break", "rate=9600 break", "rate=9600 mark read=3", "9600 8N1", []string{`read "\xff\x00\x00"`, "frame 0 parity 0 break 1"}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				receiver := app.StartCommand("b", append([]string{"tty", "/dev/ttyS1"}, append(strings.Fields(tt.receive), "counters")...)...)
				setTo(app, "b", tt.set)
				app.Do("a", append([]string{"tty", "/dev/ttyS1"}, strings.Fields(tt.send)...)...)
				wants(t, receiver.Wait().Stdout, tt.want...)
			})
		}
	})
}

// TestSocatParity: socat opens a port with a parity, and two of them talk.
func TestSocatParity(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, "socat"), 9600), o)
		const port = "/dev/ttyS1,raw,echo=0,b19200,parenb=1,cs8"
		listen := app.StartCommand("b", "socat", "-u", port+",readbytes=5", "-")
		setTo(app, "b", "19200 8E1")
		app.Sh("a", "(echo even; sleep 1) | socat -u - "+port) // which sets the port back as it ends
		if got := listen.Wait().Stdout; got != "even\n" {
			t.Errorf("b has read %q", got)
		}
	})
}

// TestPicocom: picocom opens a port with a parity, and is content with what it reads back.
func TestPicocom(t *testing.T) {
	app := guesttest.Run(t, serialPair(guesttest.Rootfs(t, "picocom"), 9600), guesttest.Options{Seed: 1})
	listen := app.StartCommand("b", "/bin/sh", "-c", "picocom -b 19200 -y e -d 7 -p 2 -x 1000 /dev/ttyS1 2>&1")
	setTo(app, "b", "19200 7E2")
	app.Sh("a", "stty -F /dev/ttyS1 19200 parenb -parodd cs7 cstopb -echo; echo seven > /dev/ttyS1")
	out := listen.Wait().Stdout
	wants(t, out, "Terminal ready", "seven")
	if strings.Contains(out, "mismatch") {
		t.Errorf("picocom says\n%s", out)
	}
}

// TestModbus has mbpoll ask a server of Modbus RTU at 19200 8E1 over an RS-485 bus, whose drivers
// are enabled by RTS, which the kernel drives on one board and mbpoll on the other.
func TestModbus(t *testing.T) {
	tty := guesttest.Program(t, "backplane/tests/programs/tty")
	clocks(t, func(t *testing.T, o guesttest.Options) {
		board := fmt.Sprintf("[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\ndriver_enable = \"rts\"\nreceiver = \"inverse\"\nrs485 = true\n",
			guesttest.Rootfs(t, "mbpoll", tty))
		app := guesttest.Run(t, map[string]string{"a.toml": "name = \"a\"\n" + board, "b.toml": "name = \"b\"\n" + board,
			"main.toml": "name = \"bus\"\n[[board]]\nfile = \"a.toml\"\n[[board]]\nfile = \"b.toml\"\n[[rs485]]\nname = \"bus\"\nports = [\"a.uart1\", \"b.uart1\"]\n"}, o)
		app.StartCommand("b", "tty", "/dev/ttyS1", "rate=19200", "even", "modbus")
		setTo(app, "b", "19200 8E1")
		out := app.Do("a", "mbpoll", "-m", "rtu", "-a", "1", "-b", "19200", "-P", "even", "-r", "1", "-c", "3", "-1", "/dev/ttyS1")
		wants(t, out, "[1]: \t100", "[2]: \t101", "[3]: \t102")
	})
}
