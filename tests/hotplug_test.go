package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph"
	"backplane/periph/serial"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestUnplugDisk pulls a disk with a mounted file system while it is written to, and puts it
// back: what is under way and what comes later fails, nobody waits for ever, and what was
// flushed is there again.
func TestUnplugDisk(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startDisks(t, "[[disk]]\nname = \"disk0\"\n[[disk]]\nname = \"disk1\"\nsize = \"64M\"\n", o)
		app.Sh("store", "mkfs.ext4 -q /dev/vdb && mkdir /mnt && mount /dev/vdb /mnt && echo kept > /mnt/kept && sync")
		write := app.StartCommand("store", "sh", "-c", "while dd if=/dev/urandom of=/mnt/file bs=64k count=32 conv=fsync 2>/dev/null; do echo; done; echo failed; ! echo more > /mnt/more || ! sync")
		app.Sleep(50 * time.Millisecond)
		plugged(t, app, appliance.Unplug, "store.disk1")
		if r := write.Wait(); !strings.Contains(r.Stdout, "failed") || r.Status != 0 {
			t.Errorf("the program that writes: %+v", r)
		}
		app.Sh("store", "for i in $(seq 100); do [ -e /sys/block/vdb ] || break; sleep 0.05; done; ! [ -e /sys/block/vdb ] && ! [ -e /dev/vdb ]")
		app.Sh("store", "umount /mnt; ! dmesg | grep -q WARNING")
		plugged(t, app, appliance.Plug, "store.disk1")
		app.Sh("store", "for i in $(seq 100); do [ -e /dev/vdb ] && break; sleep 0.05; done; e2fsck -fy /dev/vdb; mount /dev/vdb /mnt && grep -x kept /mnt/kept && echo again > /mnt/again && umount /mnt && e2fsck -fn /dev/vdb")
	})
}

// present waits until a shell's condition holds on a board.
func present(app *guesttest.App, board, condition string) {
	app.Sh(board, "for i in $(seq 100); do "+condition+" && exit 0; sleep 0.05; done; "+condition)
}

// listens waits until a program of a board listens to TCP port 7.
func listens(app *guesttest.App, board string) {
	present(app, board, "grep -q ':0007 .* 0A ' /proc/net/tcp*")
}

// TestUnplugCard pulls an Ethernet controller while a neighbour is pinged, and puts it back:
// the interface goes and comes, with the name and the addresses that the board file says.
func TestUnplugCard(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		files := plugFiles(guesttest.Rootfs(t))
		files["x.toml"] = strings.Replace(files["x.toml"], "name = \"eth0\"\n", "name = \"lan0\"\naddress = \"10.0.0.1/24\"\n", 1)
		files["y.toml"] = strings.Replace(files["y.toml"], "name = \"eth0\"\n", "name = \"eth0\"\naddress = \"10.0.0.2/24\"\n", 1)
		files["main.toml"] = strings.Replace(files["main.toml"], "x.eth0", "x.lan0", 1)
		app := guesttest.Run(t, files, o)
		app.Sh("x", "ping -c 1 -W 5 10.0.0.2")
		ping := app.StartCommand("x", "ping", "-i", "0.1", "-c", "20", "-W", "1", "10.0.0.2")
		app.Sleep(300 * time.Millisecond)
		plugged(t, app, appliance.Unplug, "x.lan0.card")
		present(app, "x", "! [ -e /sys/class/net/lan0 ]")
		ping.Wait()
		if out := app.Sh("x", "ip -o addr; ip route"); strings.Contains(out, "10.0.0.") {
			t.Errorf("without the card there is\n%s", out)
		}
		for range 3 {
			plugged(t, app, appliance.Plug, "x.lan0.card")
			present(app, "x", "ip -o addr show dev lan0 2>/dev/null | grep -q 10.0.0.1/24")
			app.Sh("x", "ping -c 1 -W 5 10.0.0.2")
			app.Sh("y", "ping -c 1 -W 5 10.0.0.1")
			plugged(t, app, appliance.Unplug, "x.lan0.card")
			present(app, "x", "! [ -e /sys/class/net/lan0 ]")
		}
	})
}

// TestUnplugPort pulls a serial controller under a program that has its tty open and one that
// writes to it, and puts it back: they get errors, and the tty comes back by its name.
func TestUnplugPort(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, plugFiles(guesttest.Rootfs(t)), o)
		app.Sh("x", "stty -F /dev/ttyS1 raw -echo 9600")
		read := app.StartCommand("x", "sh", "-c", "cat /dev/ttyS1; echo end")
		write := app.StartCommand("x", "sh", "-c", "yes 2>/dev/null >/dev/ttyS1; echo end")
		present(app, "x", "[ $(ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c ttyS1) -ge 2 ]") // else they would make a file of that name
		plugged(t, app, appliance.Unplug, "x.uart1.card")
		for _, c := range []*guesttest.Command{read, write} {
			if r := c.Wait(); r.Stdout != "end\n" {
				t.Errorf("a program with the port open says %q", r.Stdout)
			}
		}
		present(app, "x", "! [ -e /dev/ttyS1 ]")
		plugged(t, app, appliance.Plug, "x.uart1.card")
		present(app, "x", "[ -c /dev/ttyS1 ]")
		read = app.StartCommand("y", "sh", "-c", "stty -F /dev/hvc1 raw -echo 9600 2>/dev/null; ls /dev/ttyS* /dev/hvc* 2>/dev/null")
		read.Wait()
		app.Sh("x", "stty -F /dev/ttyS1 raw -echo 115200; echo back > /dev/ttyS1")
		app.Until(5*time.Second, "a byte of the port that is back", func(e *simbus.Event) bool {
			data, _ := e.Get("data")
			return e.Kind == serial.KindRx && e.Board == "y" && strings.HasPrefix(data, "b")
		})
	})
}

// TestPlugWhileOff plugs and unplugs while the board is off, and while it boots: what is there
// when the kernel looks is there, and the board lacks nothing that it should have.
func TestPlugWhileOff(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startDisks(t, "[[disk]]\nname = \"disk0\"\n[[disk]]\nname = \"disk1\"\nunplugged = true\nserial = \"late\"\n[[serial]]\nname = \"uart1\"\nunplugged = true\ndevice = \"/dev/ttyS7\"\n[[gpio]]\nname = \"gpio0\"\nunplugged = true\nlines = [\"a\"]\n[[gpio]]\nname = \"gpio1\"\nlines = [\"b\"]\n"+
			"[[ethernet]]\nname = \"lan0\"\nunplugged = true\naddress = \"10.0.0.1/24\"\n", o)
		there := func(want bool) {
			t.Helper()
			for _, what := range []string{"grep -qx late /sys/block/vd?/serial", "[ -c /dev/ttyS7 ]", "[ -e /sys/class/net/lan0 ]", "[ -e /dev/gpio0 ]"} {
				if !want {
					what = "! " + what
				}
				present(app, "store", what)
			}
			present(app, "store", "[ -e /dev/gpio1 ]")
		}
		all := []string{"store.disk1", "store.uart1", "store.lan0", "store.gpio0"}
		there(false)
		for _, p := range all {
			plugged(t, app, appliance.Plug, p)
		}
		there(true)
		if err := app.PullPlug("store"); err != nil {
			t.Fatal(err)
		}
		app.Until(10*time.Second, "its end", off)
		for _, p := range all {
			plugged(t, app, appliance.Unplug, p)
		}
		switchOn(t, app)
		there(false)
		if err := app.PullPlug("store"); err != nil {
			t.Fatal(err)
		}
		app.Until(10*time.Second, "its end", off)
		if err := app.PowerOn("store"); err != nil {
			t.Fatal(err)
		}
		for _, p := range all { // it has just begun to boot
			plugged(t, app, appliance.Plug, p)
		}
		app.Until(time.Minute, "its hello", func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			return e.Kind == appliance.KindGuest && state == appliance.StateUp
		})
		there(true)
		for _, e := range app.Events() {
			if state, _ := e.Get("state"); state == appliance.StateIncomplete || e.Kind == periph.KindDevice {
				t.Errorf("the event %s", e.AppendJSON(nil))
			}
		}
	})
}

// TestPlugOften plugs and unplugs a disk, a card and a port many times: nothing is left of those
// that have gone, neither here nor in the guest.
func TestPlugOften(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[disk]]\nname = \"disk0\"\nsize = \"4M\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.1/24\"\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\n", guesttest.Rootfs(t))}, o)
		cycle := func() {
			app.Sleep(30 * time.Millisecond) // the kernel lets go of a disk that it has looked for partitions on
			for _, p := range []string{"b.disk0", "b.eth0", "b.uart1"} {
				plugged(t, app, appliance.Unplug, p)
			}
			present(app, "b", "! [ -e /sys/block/vda ] && ! [ -e /sys/class/net/eth0 ] && ! [ -e /dev/ttyS1 ]")
			for _, p := range []string{"b.disk0", "b.eth0", "b.uart1"} {
				plugged(t, app, appliance.Plug, p)
			}
			present(app, "b", "[ -b /dev/vda ] && ip -o addr show dev eth0 2>/dev/null | grep -q 10.0.0.1/24 && [ -c /dev/ttyS1 ]")
		}
		used := func() (files, guestFiles, free int) {
			list, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			pid, err := app.KernelPID("b")
			if err != nil {
				t.Fatal(err)
			}
			guests, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			if err != nil {
				t.Fatal(err)
			}
			out := app.Sh("b", "echo 3 > /proc/sys/vm/drop_caches; sed -n 's/MemFree: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")
			if _, err := fmt.Sscan(out, &free); err != nil {
				t.Fatal(err)
			}
			return len(list), len(guests), free
		}
		for range 10 {
			cycle()
		}
		files, guestFiles, free := used()
		for range 67 { // of three controllers: 200 in all
			cycle()
		}
		files2, guestFiles2, free2 := used()
		t.Logf("files %d, then %d; of the kernel %d, then %d; %d kB free, then %d", files, files2, guestFiles, guestFiles2, free, free2)
		if files2 > files+3 || guestFiles2 > guestFiles+3 || free2 < free-3<<10 { // the rings of all would take more
			t.Error("something is left of what has gone")
		}
	})
}

// TestPlugControllerScenario plays, verifies and replays a scenario that plugs controllers.
func TestPlugControllerScenario(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"main.toml": diskBoard(t, "[[disk]]\nname = \"disk0\"\nkeep = \"kept.overlay\"\nsize = \"16M\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"10.0.0.1/24\"\n"),
		"s.toml": `appliance = "main.toml"
[[step]]
exec = { board = "store", command = ["sh", "-c", "mkfs.ext4 -q /dev/vda; mkdir /mnt; mount /dev/vda /mnt; echo kept > /mnt/kept; sync; (while dd if=/dev/urandom of=/mnt/file bs=4k count=16 conv=fsync; do :; done) >/dev/null 2>&1 &"] }
[[step]]
wait = "20ms"
[[step]]
unplug = "store.disk0"
expect = { event = "plug", where = { part = "^disk0$", state = "unplugged" } }
[[step]]
unplug = "store.eth0"
[[step]]
wait = "200ms"
[[step]]
exec = { board = "store", command = ["sh", "-c", "! [ -e /dev/vda ] && ! [ -e /sys/class/net/eth0 ] && umount /mnt"] }
[[step]]
plug = "store.disk0"
[[step]]
plug = "store.eth0"
[[step]]
wait = "200ms"
[[step]]
exec = { board = "store", command = ["sh", "-c", "mount /dev/vda /mnt && cat /mnt/kept && ip -o addr show dev eth0"], output = '^kept$' }
`})
	record := filepath.Join(t.TempDir(), "r")
	for _, tt := range []struct{ want, args string }{
		{"SAME", "run --verify 3 " + filepath.Join(dir, "s.toml")},
		{"PASSED", "run --out " + record + " " + filepath.Join(dir, "s.toml")},
		{"SAME", "replay " + record},
	} {
		if strings.HasPrefix(tt.args, "replay") { // the run has made it
			if err := os.Remove(filepath.Join(dir, "kept.overlay")); err != nil {
				t.Fatal(err)
			}
		}
		if out, errs, status := run(t, nil, strings.Fields(tt.args)...); status != 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: status %d\n%s%s", tt.args, status, out, errs)
		}
	}
}
