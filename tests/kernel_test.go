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

// workbench is a board with chips on buses of their own speeds, and what firmware
// is debugged with.
const workbench = `
name = "bench"
cpus = %d
memory = "96M"
[firmware]
rootfs = [%q]
args = "loglevel=5"

[[gpio]]
name = "gpio0"
lines = ["rtc_int"]

[[i2c]]
name = "i2c1"
number = 1
frequency = 100_000

  [[i2c.chip]]
  name = "eeprom0"
  model = "at24c32"
  address = 0x50

  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  temperature = 21.5

  [[i2c.chip]]
  name = "rtc0"
  model = "ds3231"
  address = 0x68
  pins = { int = "gpio0.rtc_int" }
`

func startWorkbench(t *testing.T, o guesttest.Options, programs ...string) *guesttest.App {
	return startWorkbenchOn(t, 1, o, programs...)
}

func startWorkbenchOn(t *testing.T, cpus int, o guesttest.Options, programs ...string) *guesttest.App {
	root := guesttest.Rootfs(t, append(programs, "i2cdetect", "i2ctransfer", guesttest.Program(t, "backplane/tests/programs/i2cclient"))...)
	return guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf(workbench, cpus, root)}, o)
}

// TestAbsentChip looks what a client is told of an address at which nothing is:
// ENXIO (Linux Documentation/i2c/fault-codes.rst), wherever in a transaction.
func TestAbsentChip(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startWorkbench(t, o)
		const want = `write, read: ENXIO
the second of three: ENXIO
the third of three: ENXIO
none: 2 <nil>
read(2): ENXIO
write(2): ENXIO
`
		if got := app.Do("bench", "i2cclient", "absent", "1", "0x48", "0x4a"); got != want {
			t.Errorf("a client is told\n%s\nwant\n%s", got, want)
		}
		const bus = "40: -- -- -- -- -- -- -- -- UU -- -- -- -- -- -- -- \n50: UU -- --"
		if got := app.Do("bench", "i2cdetect", "-y", "1"); !strings.Contains(got, bus) {
			t.Errorf("i2cdetect prints\n%s\nwant in it\n%s", got, bus)
		}
	})
}

// TestSignalDuringTransfer interrupts clients while the wire is busy: the kernel
// must not take memory back from the controller, and a transfer is whole.
func TestSignalDuringTransfer(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, app *guesttest.App) {
		app.Sh("bench", `eeprom=/sys/bus/i2c/devices/1-0050/eeprom
cat $eeprom > /tmp/before
for i in $(seq 30); do cat $eeprom > /dev/null & usleep $((20123 + i * 1711)); kill $!; wait $!; done
cat $eeprom > /tmp/after
[ "$(md5sum < /tmp/before)" = "$(md5sum < /tmp/after)" ]`)
		if got := app.Do("bench", "i2cclient", "alarm", "1", "0x50", "100"); got != "100 transfers\n" {
			t.Errorf("with a timer's signals: %s", got)
		}
		if warnings := app.Sh("bench", `dmesg | grep -e WARNING -e BUG -e "Call Trace"; true`); warnings != "" {
			t.Errorf("the kernel says %s", warnings)
		}
	}
	clocks(t, func(t *testing.T, o guesttest.Options) { test(t, startWorkbench(t, o)) })
	t.Run("two CPUs", func(t *testing.T) { test(t, startWorkbenchOn(t, 2, guesttest.Options{Real: true})) })
}

// TestKernelHas looks for what a running kernel has for those who look into it,
// and for firmware that expects it.
func TestKernelHas(t *testing.T) {
	app := startWorkbench(t, guesttest.Options{Seed: 1}, "ip", "tc")
	real := ""
	for _, p := range []string{"ip", "tc"} {
		path, err := exec.LookPath(p)
		if err != nil {
			t.Fatal(err)
		}
		real += fmt.Sprintf("%s() { %s \"$@\"; }; ", p, path)
	}
	for _, test := range []struct{ name, script, want string }{
		{"its configuration", "busybox zcat /proc/config.gz | grep -c -e '^CONFIG_ETHTOOL_NETLINK=y' -e '^CONFIG_INET_DIAG=y' -e '^CONFIG_PTP_1588_CLOCK=y' -e '^CONFIG_WATCHDOG_CORE=y'", "4\n"},
		{"debugfs", "mount -t debugfs none /sys/kernel/debug && grep -c rtc_int /sys/kernel/debug/gpio", "1\n"},
		{"tracepoints", `mount -t tracefs none /sys/kernel/tracing; cd /sys/kernel/tracing && echo 1 > events/i2c/enable && i2ctransfer -f -y 1 w1@0x48 3 r2 &&
grep -o 'i2c_reply: i2c-1 #1 a=048 f=.... l=2 .*' trace; echo 0 > events/i2c/enable`, "0x50 0x00\ni2c_reply: i2c-1 #1 a=048 f=0201 l=2 [50-00]\n"},
		{"system calls' tracepoints", `cd /sys/kernel/tracing && echo 1 > events/raw_syscalls/sys_enter/enable && umask 022 && echo 0 > events/raw_syscalls/sys_enter/enable && grep -o 'NR 95 (12,' trace | head -1`, "NR 95 (12,\n"},
		{"nothing that the kernel complains of", "dmesg | grep -c 'please consider fixing' || true", "0\n"},
		{"9p", "grep 9p /proc/filesystems", "nodev\t9p\n"},
		{"programs of other formats", `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && echo ':say:E::say::/bin/echo:' > /proc/sys/fs/binfmt_misc/register &&
touch /tmp/x.say && busybox chmod +x /tmp/x.say && /tmp/x.say`, "/tmp/x.say\n"},
		{"CAN", "ip link add dev vcan0 type vcan && ip link set vcan0 up && ip -br link show vcan0 | tr -s ' ' | cut -d' ' -f1-2", "vcan0 UNKNOWN\n"},
		{"bonds", "ip link add dev bond9 type bond mode active-backup && cat /sys/class/net/bond9/bonding/mode", "active-backup 1\n"},
		{"macvlan", "ip link add dev v0 type veth peer v1 && ip link add link v0 name mv0 type macvlan mode bridge && ls /sys/class/net", "bond9\nbonding_masters\nlo\nmv0\nv0\nv1\nvcan0\n"},
		{"policy routing", "ip rule add from 192.0.2.1 table 100 && ip rule | grep -c 'lookup 100'", "1\n"},
		{"queueing", "tc qdisc add dev v0 root tbf rate 1mbit burst 4k latency 50ms && tc qdisc show dev v0 | cut -d' ' -f1-2", "qdisc tbf\n"},
		{"connection tracking by netlink", "busybox zcat /proc/config.gz | grep -c '^CONFIG_NF_CT_NETLINK=y'", "1\n"},
	} {
		// the real ones: busybox's shell takes its own otherwise
		if got := app.Sh("bench", real+test.script); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestCoreDump reads a core file of the guest with this machine's gdb.
func TestCoreDump(t *testing.T) {
	dir := t.TempDir()
	crash := filepath.Join(dir, "crash")
	if out, err := exec.Command("gcc", "-static", "-nostdlib", "-O1", "-o", crash, "programs/crash/crash.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	app := startWorkbench(t, guesttest.Options{Seed: 1}, crash)
	core := filepath.Join(dir, "core")
	text := app.Sh("bench", "cd /tmp && ulimit -c unlimited && { crash; cat core; }")
	if err := os.WriteFile(core, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gdb", "-nx", "-batch", "-ex", "p/x $r12", "-ex", "p/x $xmm7.v2_int64[0]", "-ex", "p $mxcsr", "-ex", "x/i $pc", crash, core).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"terminated with signal SIGILL", "$1 = 0xfeedface", "$2 = 0x3333", "$3 = [ IM DM ZM OM UM PM ]", "ud2"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("gdb does not say %q:\n%s", want, out)
		}
	}
}

// TestWakesFromSleep lets a board sleep until the alarm of its RTC.
func TestWakesFromSleep(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startWorkbench(t, o)
		if got := app.Sh("bench", "cat /sys/class/rtc/rtc0/device/power/wakeup"); got != "enabled\n" {
			t.Errorf("the RTC's wake-up is %q, want enabled", got)
		}
		before := app.Now()
		app.Sh("bench", "echo +3 > /sys/class/rtc/rtc0/wakealarm && echo mem > /sys/power/state")
		if slept := app.Now().Sub(before); slept < 2*time.Second || slept > 4*time.Second {
			t.Errorf("it slept for %s, want 2 to 3 s", slept)
		}
		if got := app.Do("bench", "i2ctransfer", "-f", "-y", "1", "w1@0x48", "3", "r2"); got != "0x50 0x00\n" {
			t.Errorf("after sleep it reads %q", got)
		}
	})
}

// TestNoVirtualTerminals opens what a kernel without virtual terminals has not.
func TestNoVirtualTerminals(t *testing.T) {
	out := t.TempDir()
	app := startWorkbench(t, guesttest.Options{Seed: 1, Out: out})
	if got := app.Sh("bench", `ls /dev | grep '^tty[0-9]'; for n in 0 1 15; do mknod /dev/vt$n c 4 $n; cat /dev/vt$n; done 2>&1; true`); got !=
		"cat: can't open '/dev/vt0': No such device or address\ncat: can't open '/dev/vt1': No such device or address\ncat: can't open '/dev/vt15': No such device or address\n" {
		t.Errorf("got %s", got)
	}
	if got := app.Sh("bench", "dmesg | grep -e epoll -e setup_one_line; true"); got != "" {
		t.Errorf("the kernel says %s", got)
	}
	log, err := os.ReadFile(filepath.Join(out, "uml", "bench.log"))
	if err != nil || strings.Contains(string(log), "epoll") {
		t.Errorf("the host's side of the kernel says, %v:\n%s", err, log)
	}
}
