package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/kernel"
	"backplane/periph"
	disks "backplane/periph/block"
	"backplane/periph/catalog"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// diskBoard is a board with those tables of disks, and the tools of ext4.
func diskBoard(t *testing.T, tables string) string {
	t.Helper()
	root := guesttest.Rootfs(t, "mkfs.ext4", "e2fsck", "blkdiscard")
	return fmt.Sprintf("name = \"store\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n%s", root, tables)
}

// startDisks starts such a board.
func startDisks(t *testing.T, tables string, o guesttest.Options) *guesttest.App {
	t.Helper()
	return guesttest.Run(t, map[string]string{"main.toml": diskBoard(t, tables)}, o)
}

// cutPower takes the board's power, and waits until it is up again.
func cutPower(t *testing.T, app *guesttest.App) {
	t.Helper()
	if err := app.PullPlug("store"); err != nil {
		t.Fatal(err)
	}
	app.Until(10*time.Second, "its end", off)
	switchOn(t, app)
}

func switchOn(t *testing.T, app *guesttest.App) {
	t.Helper()
	if err := app.PowerOn("store"); err != nil {
		t.Fatal(err)
	}
	app.Until(time.Minute, "its hello", func(e *simbus.Event) bool {
		state, _ := e.Get("state")
		return e.Kind == appliance.KindGuest && state == appliance.StateUp
	})
}

func off(e *simbus.Event) bool {
	state, _ := e.Get("state")
	return e.Kind == appliance.KindGuest && state == appliance.StateOff
}

// TestDisk makes a file system on a disk that is empty at first, and finds after a power
// cut what was synced, and nothing of what was not.
func TestDisk(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startDisks(t, "[[disk]]\nname = \"disk0\"\nsize = \"4G\"\nserial = \"BP-1\"\n[[disk]]\nname = \"disk1\"\nsize = \"1M\"\n", o)
		for file, want := range map[string]string{"vda/size": "8388608", "vda/serial": "BP-1", "vda/queue/write_cache": "write back", "vda/queue/logical_block_size": "512",
			"vda/queue/physical_block_size": "4096", "vdb/size": "2048", "vdb/serial": "disk1", "vda/queue/discard_granularity": "4096"} {
			if got := strings.TrimSpace(app.Sh("store", "cat /sys/block/"+file)); got != want {
				t.Errorf("%s is %q, want %q", file, got, want)
			}
		}
		app.Sh("store", "mkfs.ext4 -q /dev/vda && mkdir /mnt && mount /dev/vda /mnt && echo kept > /mnt/kept && sync && echo lost > /mnt/lost")
		app.Sh("store", "dd if=/dev/urandom of=/dev/vdb bs=4096 count=16 conv=notrunc 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/zero of=/dev/vdb bs=4096 count=4 seek=100 oflag=direct conv=notrunc 2>/dev/null")
		cutPower(t, app)
		if out := app.Sh("store", "mkdir /mnt && mount /dev/vda /mnt && ls /mnt && cat /mnt/kept && umount /mnt && e2fsck -fn /dev/vda 2>&1"); !strings.Contains(out, "kept\nlost+found\nkept\n") {
			t.Errorf("after a power cut there is\n%s", out)
		}
		lost := 0
		for _, e := range app.Events() {
			if e.Kind == disks.KindLost && e.Part == "disk1" {
				lost++
			}
		}
		if out := app.Sh("store", "dd if=/dev/vdb bs=4096 count=16 2>/dev/null | od -An -v -tx1 | tr -d ' \\n0' | wc -c"); lost != 1 || strings.TrimSpace(out) != "0" {
			t.Errorf("what was not flushed is lost %d times, and %s hex digits of it are there", lost, out)
		}
	})
}

// TestWriteThrough: the cache that a guest has switched off stays off when its kernel starts
// anew, and is on again after a loss of power.
func TestWriteThrough(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"store\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n[[disk]]\nname = \"disk0\"\nsize = \"1M\"\n",
			guesttest.Rootfs(t, "reboot"))}, o)
		const mode = "cat /sys/block/vda/cache_type"
		app.Sh("store", `echo "write through" >/sys/block/vda/cache_type`)
		app.StartCommand("store", "reboot", "-f")
		app.Until(time.Minute, "its second hello", func(e *simbus.Event) bool {
			state, _ := e.Get("state")
			return e.Kind == appliance.KindGuest && state == appliance.StateUp
		})
		if out := app.Sh("store", mode); out != "write through\n" {
			t.Errorf("after a reboot the cache is %q", out)
		}
		app.Sh("store", "dd if=/dev/zero bs=4096 count=1 | tr '\\0' x | dd of=/dev/vda bs=4096 oflag=direct conv=notrunc 2>/dev/null")
		cutPower(t, app)
		if out := app.Sh("store", "head -c 3 /dev/vda; "+mode); out != "xxxwrite back\n" {
			t.Errorf("after a power cut there is %q", out)
		}
	})
}

// journalLoad writes files, each of which it says to be there when it has been synced.
const journalLoad = `mkdir /mnt/$1 && i=1; while printf %0100d $i | dd of=/mnt/$1/f$i bs=100 conv=fsync 2>/dev/null; do echo "ack $i" >/dev/console; i=$((i+1)); done`

// journalCheck names what is not there of the first $2 files.
const journalCheck = `i=1; while [ $i -le $2 ]; do x=; read x </mnt/$1/f$i || true; [ "$x" = $(printf %0100d $i) ] || echo "f$i is lost"; i=$((i+1)); done; umount /mnt && e2fsck -fn /dev/vda || echo "e2fsck: $?"`

var acknowledged = regexp.MustCompile(`^ack (\d+)\r?$`)

// journalCuts cuts the power of a board that writes to ext4 as often, at moments that
// chance chooses, and returns what was lost, or is wrong.
func journalCuts(t *testing.T, cuts int, o guesttest.Options, begin func(app *guesttest.App)) (wrong []string, files int) {
	app := startDisks(t, "[[disk]]\nname = \"disk0\"\nsize = \"64M\"\ntorn = true\n", o)
	app.Sh("store", "mkfs.ext4 -q /dev/vda && sync")
	begin(app)
	chance := rand.New(rand.NewPCG(o.Seed, 7))
	seen := 0
	for i := range cuts {
		if app.StartCommand("store", "sh", "-c", "mkdir -p /mnt && mount /dev/vda /mnt").Wait().Status != 0 {
			return append(wrong, fmt.Sprintf("cut %d: the file system cannot be mounted", i)), files
		}
		app.StartCommand("store", "sh", "-c", journalLoad, "load", fmt.Sprint("d", i))
		app.Console("store", fmt.Sprintf(`^ack %d\r?$`, 2+chance.IntN(12)), time.Minute)
		app.Sleep(time.Duration(chance.IntN(10_000)) * time.Microsecond)
		cutPower(t, app)
		last, events := 0, app.Events()
		for _, e := range events[seen:] {
			if line, ok := e.Get("line"); ok {
				if m := acknowledged.FindStringSubmatch(line); m != nil {
					last, _ = strconv.Atoi(m[1])
				}
			}
		}
		seen, files = len(events), files+last
		out := app.Sh("store", fmt.Sprintf("mkdir -p /mnt; mount /dev/vda /mnt || echo mount is lost; set -- d%d %d; %s; true", i, last, journalCheck))
		for _, line := range strings.Split(out, "\n") {
			if strings.Contains(line, "lost") && !strings.Contains(line, "lost+found") || strings.Contains(line, "e2fsck: ") {
				wrong = append(wrong, fmt.Sprintf("cut %d: %s", i, line))
			}
		}
	}
	return wrong, files
}

// TestPowerCuts: when flushes are honoured, no power cut takes a file that was synced, and
// the file system is whole each time, though sectors of what was under way are torn.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	clocks(t, func(t *testing.T, o guesttest.Options) {
		wrong, files := journalCuts(t, 20, o, func(*guesttest.App) {})
		if t.Logf("%d files were synced", files); len(wrong) > 0 || files < 100 {
			t.Errorf("of %d files:\n%s", files, strings.Join(wrong, "\n"))
		}
	})
}

// TestLyingDisk: a disk that lies about its flushes does lose files that were synced.
func TestLyingDisk(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		wrong, files := journalCuts(t, 3, o, func(app *guesttest.App) { app.MustSet("store.disk0.lie_about_flush", "on") })
		if t.Logf("%d files were synced, and of these is wrong:\n%s", files, strings.Join(wrong, "\n")); len(wrong) == 0 {
			t.Errorf("nothing is lost of %d files", files)
		}
	})
}

// ext4Image is a file system with one file, made on the host.
func ext4Image(t *testing.T, dir, name string) string {
	t.Helper()
	from := filepath.Join(t.TempDir(), "from")
	path := filepath.Join(dir, name)
	if err := errors.Join(os.Mkdir(from, 0o755), os.WriteFile(filepath.Join(from, "hello"), []byte("from the image\n"), 0o644), os.WriteFile(path, nil, 0o644), os.Truncate(path, 16<<20)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-d", from, path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestDiskImages: an image is never written to, a qcow2 is read, what is kept is there in
// the next run, and a read-only disk takes nothing.
func TestDiskImages(t *testing.T) {
	dir := t.TempDir()
	raw := ext4Image(t, dir, "raw.img")
	before, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	tables := "[[disk]]\nname = \"kept\"\nimage = \"raw.img\"\nkeep = \"kept.overlay\"\n[[disk]]\nname = \"fresh\"\nimage = \"raw.img\"\n" +
		"[[disk]]\nname = \"fixed\"\nimage = \"raw.img\"\nread_only = true\n"
	if qemu, err := exec.LookPath("qemu-img"); err != nil {
		t.Fatalf("%v: tools/packages installs what the tests need", err)
	} else if out, err := exec.Command(qemu, "convert", "-O", "qcow2", raw, filepath.Join(dir, "q.qcow2")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	} else {
		tables += "[[disk]]\nname = \"q\"\nimage = \"q.qcow2\"\nsize = \"32M\"\n"
	}
	file := filepath.Join(dir, "main.toml")
	if err := os.WriteFile(file, []byte(diskBoard(t, tables)), 0o644); err != nil {
		t.Fatal(err)
	}
	clocks(t, func(t *testing.T, o guesttest.Options) {
		_ = os.Remove(filepath.Join(dir, "kept.overlay"))
		app := guesttest.RunFile(t, file, o)
		app.Sh("store", `for d in a b c $(cd /dev; ls vdd | cut -c3); do mkdir -p /mnt/$d; mount $([ $d = c ] && echo "-o ro") /dev/vd$d /mnt/$d; [ "$(cat /mnt/$d/hello)" = "from the image" ] || exit 1; done
for d in a b $(cd /dev; ls vdd | cut -c3); do echo more > /mnt/$d/more; done; umount /mnt/a; sync`)
		if out := app.Sh("store", "echo x 2>&1 > /dev/vdc || echo refused; cat /sys/block/vdc/ro"); !strings.HasSuffix(out, "refused\n1\n") {
			t.Errorf("a read-only disk: %q", out)
		}
		if _, err := second(t, file); err == nil || !strings.Contains(err.Error(), "kept.overlay is in use by another run or command") {
			t.Errorf("a second run with what another one writes: %v", err)
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		app = guesttest.RunFile(t, file, o)
		if out := app.Sh("store", "mkdir /mnt; for d in a b; do mkdir /mnt/$d; mount /dev/vd$d /mnt/$d; cat /mnt/$d/more 2>/dev/null || echo none; done"); out != "more\nnone\n" {
			t.Errorf("the next run finds %q", out)
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(raw); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the image has been written to: %v", err)
		}
	})
}

// second starts a board that another run has already.
func second(t *testing.T, file string) (*appliance.Running, error) {
	t.Helper()
	a, err := boards.Load(file, catalog.All)
	if err != nil {
		return nil, err
	}
	return appliance.Start(t.Context(), a, appliance.Options{Init: guesttest.Init(t), Kernel: func(_ context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error) {
		return guesttest.Kernel(t, virtual, want), nil
	}})
}

// TestDiskFaults: the kernel sees each fault as it sees those of hardware.
func TestDiskFaults(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startDisks(t, "[[disk]]\nname = \"disk0\"\nsize = \"64M\"\n", o)
		const write, read = "dd if=/dev/zero of=/dev/vda bs=4096 count=1 seek=%s oflag=direct conv=notrunc", "dd if=/dev/vda of=/dev/null bs=4096 count=1 skip=%s iflag=direct"
		try := func(dd, at, want string) {
			t.Helper()
			out := app.Sh("store", fmt.Sprintf(dd, at)+" 2>&1 >/dev/null || true")
			if failed := strings.Contains(out, "Input/output error"); failed != (want != "") {
				t.Errorf("%s at %s: %s", dd, at, out)
			}
			if want == "" {
				return
			}
			app.Until(time.Second, want, func(e *simbus.Event) bool {
				why, _ := e.Get("error")
				return e.Kind == disks.KindError && e.Part == "disk0" && why == want
			})
		}
		try(write, "1", "")
		app.MustSet("store.disk0.bad_sectors", "80-87")
		try(read, "10", "bad sector")
		try(read, "11", "")
		app.MustSet("store.disk0.bad_sectors", "")
		try(read, "10", "")
		app.MustSet("store.disk0.full", "on")
		try(write, "1", "")
		try(write, "2", "full")
		app.MustSet("store.disk0.full", "off")
		app.MustSet("store.disk0.read_only", "on")
		try(write, "1", "read-only")
		app.MustSet("store.disk0.read_only", "off")
		app.Sh("store", "mkfs.ext4 -q /dev/vda && mkdir /mnt && mount -o errors=remount-ro /dev/vda /mnt && sync")
		app.MustSet("store.disk0.read_only", "on")
		app.Sh("store", "echo x > /mnt/x; sync; usleep 100000; ! echo y > /mnt/y")
		if out := app.Sh("store", "grep /mnt /proc/mounts"); !strings.Contains(out, " ro,") && !strings.Contains(out, "emergency_ro") && !strings.Contains(out, "shutdown") {
			t.Errorf("a file system on a card that is worn out is %s", out)
		}
	})
}

// TestDiskTimes: in virtual time the types have the rates of their data sheets.
func TestDiskTimes(t *testing.T) {
	for kind, c := range map[string]struct {
		sequential, random float64
		mib, blocks        int
	}{"sd": {10e6, 500, 32, 1000}, "emmc": {125e6, 13_000, 128, 5000}, "ssd": {530e6, 36_000, 250, 20_000}} {
		t.Run(kind, func(t *testing.T) {
			app := startDisks(t, "[[disk]]\nname = \"disk0\"\nsize = \"256M\"\ntype = \""+kind+"\"\n", guesttest.Options{Seed: 1})
			took := func(dd string) float64 {
				out := app.Sh("store", "S=$(cut -d' ' -f1 /proc/uptime); "+dd+" 2>/dev/null; E=$(cut -d' ' -f1 /proc/uptime); echo $S $E")
				var from, to float64
				if _, err := fmt.Sscan(out, &from, &to); err != nil {
					t.Fatalf("%q: %v", out, err)
				}
				return to - from
			}
			if got := float64(c.mib<<20) / took(fmt.Sprintf("dd if=/dev/zero of=/dev/vda bs=1M count=%d oflag=direct", c.mib)); got < c.sequential*0.7 || got > c.sequential*1.05 {
				t.Errorf("%.0f bytes a second are written, want about %.0f", got, c.sequential)
			}
			if got := float64(c.blocks) / took(fmt.Sprintf("dd if=/dev/zero of=/dev/vda bs=4096 count=%d oflag=direct", c.blocks)); got < c.random*0.7 || got > c.random*1.05 {
				t.Errorf("%.0f blocks a second are written, want about %.0f", got, c.random)
			}
		})
	}
}

// TestDiskVerify: runs with power cuts and faults are the same each time, and begin with
// the same contents, also where these are kept.
func TestDiskVerify(t *testing.T) {
	dir := t.TempDir()
	ext4Image(t, dir, "raw.img")
	load := "mkdir -p /mnt; mount /dev/vda /mnt; for i in 1 2 3 4 5 6; do dd if=/dev/urandom of=/mnt/f$i bs=1000 count=50 conv=fsync; done; ls /mnt; echo >> /mnt/runs; wc -l /mnt/runs"
	for name, text := range map[string]string{
		"store.toml": diskBoard(t, "[[disk]]\nname = \"disk0\"\nimage = \"raw.img\"\nkeep = \"kept\"\ntorn = true\n[[disk]]\nname = \"disk1\"\nsize = \"1G\"\ntype = \"ssd\"\n"),
		"main.toml": fmt.Sprintf(`name = "cuts"
appliance = "store.toml"
seed = 1
[[step]]
exec = { board = "store", command = ["sh", "-c", %q], timeout = "20s" }
[[step]]
pull_plug = "store"
[[step]]
power_on = "store"
expect = { event = "guest", where = { state = "hello" }, within = "20s" }
[[step]]
set = { "store.disk1.bad_sectors" = "100" }
[[step]]
exec = { board = "store", command = ["sh", "-c", %q], timeout = "20s" }
`, load, load+"; ! dd if=/dev/vdb of=/dev/null")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verified(t, filepath.Join(dir, "main.toml"), 4)
	if _, err := os.Stat(filepath.Join(dir, "kept")); err == nil {
		t.Error("a run that is to be repeated has kept something")
	}
	kept := exec.Command(backplane(t), "run", filepath.Join(dir, "main.toml"))
	if out, err := kept.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	verified(t, filepath.Join(dir, "main.toml"), 2)
}

// TestDiskZeroPage writes directly from memory that was never written to, which is the
// kernel's zero page.
func TestDiskZeroPage(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/load"))
		app := guesttest.Run(t, map[string]string{"main.toml": fmt.Sprintf("name = \"store\"\n[firmware]\nrootfs = [%q]\n[[disk]]\nname = \"disk0\"\nsize = \"1M\"\n", root)}, o)
		app.Sh("store", "dd if=/dev/urandom of=/dev/vda bs=64k count=1 conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches")
		c := app.StartCommand("store", "load", "blocks", "untouched", "sequential", "/dev/vda", "8192", "1", "4")
		app.Until(20*time.Second, "the end of the writes", func(e *simbus.Event) bool {
			if e.Kind == periph.KindDevice {
				t.Fatalf("the disk is stopped: %s", e.AppendJSON(nil))
			}
			command, _ := e.Get("command")
			return e.Kind == appliance.KindExec && strings.HasPrefix(command, "load")
		})
		c.Wait()
		if out := app.Sh("store", "dd if=/dev/vda bs=4096 count=8 2>/dev/null | od -An -v -tx1 | tr -d ' \\n0' | wc -c"); strings.TrimSpace(out) != "0" {
			t.Errorf("%s hex digits are left of what was there", strings.TrimSpace(out))
		}
	})
}
