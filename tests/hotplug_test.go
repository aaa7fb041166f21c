package tests

import (
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
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
		app.Sh("store", "umount /mnt; true")
		plugged(t, app, appliance.Plug, "store.disk1")
		app.Sh("store", "for i in $(seq 100); do [ -e /dev/vdb ] && break; sleep 0.05; done; e2fsck -fy /dev/vdb; mount /dev/vdb /mnt && grep -x kept /mnt/kept && echo again > /mnt/again && umount /mnt && e2fsck -fn /dev/vdb")
	})
}

// present waits until a shell's condition holds on a board.
func present(app *guesttest.App, board, condition string) {
	app.Sh(board, "for i in $(seq 100); do "+condition+" && exit 0; sleep 0.05; done; "+condition)
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
		app.Sleep(100 * time.Millisecond)
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
