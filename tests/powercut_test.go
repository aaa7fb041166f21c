package tests

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	disks "backplane/periph/block"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// cutBoot is what a board does at each start: the kernel replays the journal of ext4, and
// e2fsck looks at what there is. Then comes the load, which tells of each transaction on the
// console when it has been committed: so the host knows it before a cut.
const cutBoot = `
wrong() { echo "wrong: $*"; exec sleep 1000000; }
mkdir -p /mnt
mount /dev/vda /mnt && umount /mnt || wrong mount: $(dmesg | tail -n 4)
e2fsck -fn /dev/vda >/tmp/e2fsck 2>&1 || wrong e2fsck: $(cat /tmp/e2fsck)
mount /dev/vda /mnt || wrong mount
`

// databaseLoad is SQLite.
const databaseLoad = `
sqlite3 -bail -separator ' ' /mnt/log.db "$SETUP
CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS total(id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER);
INSERT OR IGNORE INTO total VALUES(1, 0);
SELECT 'integrity', group_concat(integrity_check) FROM pragma_integrity_check;
SELECT 'entries', count(*), coalesce(max(n), 0), (SELECT n FROM total), coalesce(sum(body <> printf('%0*d', 50 + n * 7919 % 3000, n)), 0) FROM entry;
" >/tmp/check 2>&1 || wrong sqlite3: $(cat /tmp/check)
grep -qx 'integrity ok' /tmp/check || wrong integrity: $(cat /tmp/check)
set -- $(grep entries /tmp/check)
[ $2 = $3 ] && [ $2 = $4 ] && [ $5 = 0 ] || wrong "$2 entries, the last one $3, counted $4, not as written $5"
echo "found $2"
i=$2
{ echo "$SETUP"; while i=$((i+1)); do
	echo "BEGIN; INSERT INTO entry VALUES($i, printf('%0*d', 50 + $i * 7919 % 3000, $i)); UPDATE total SET n = n + 1; COMMIT;"
	echo ".print committed $i"
done; } | sqlite3 -bail /mnt/log.db
wrong "sqlite3 has ended"
`

// fileLoad is files that get their names when they are complete, and of which 20 are kept.
const fileLoad = `
cd /mnt
last=$(ls | sed -n 's/^f//p' | sort -n | tail -n 1)
for i in $(seq $((last > 20 ? last - 19 : 1)) $((last))); do
	x=; read x <f$i; [ "$x" = $(printf %01000d $i) ] || wrong "f$i of $last has $x"
done
echo "found $((last))"
i=$((last))
while i=$((i+1)); do
	printf '%01000d\n' $i | dd of=new bs=2k conv=fsync 2>/dev/null && mv new f$i && sync . || wrong "f$i cannot be written"
	echo "committed $i"
	rm -f f$((i-20))
done
`

// cutLoads are the ways of SQLite to make transactions durable, on disks of each type, and
// files. With FULL in the mode DELETE SQLite promises less (sqlite.org/pragma.html#pragma_synchronous).
var cutLoads = []struct{ board, disk, script string }{
	{"wal", "emmc", "SETUP='PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;'\n" + databaseLoad},
	{"delete", "ssd", "SETUP='PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;'\n" + databaseLoad},
	{"truncate", "emmc", "SETUP='PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;'\n" + databaseLoad},
	{"persist", "sd", "SETUP='PRAGMA journal_mode=PERSIST; PRAGMA synchronous=FULL;'\n" + databaseLoad},
	{"files", "emmc", fileLoad},
}

// startLoads starts a board for each load. Cuts tear what its disk has not flushed.
func startLoads(t *testing.T, o guesttest.Options) *guesttest.App {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mkfs.ext4", "-q", filepath.Join(dir, "empty.img"), "32M").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := guesttest.Rootfs(t, "sqlite3", "e2fsck")
	if err := os.Symlink("busybox", filepath.Join(root, "bin/mv")); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"main.toml": "name = \"loads\"\n"}
	for _, l := range cutLoads {
		files[l.board+".toml"] = fmt.Sprintf("name = %q\nmemory = \"64M\"\n[firmware]\nrootfs = [%q]\ninit = \"/bin/sh\"\ninit_args = [\"-c\", %q]\nargs = \"loglevel=4\"\n"+
			"[[disk]]\nname = \"disk0\"\nimage = \"empty.img\"\ntype = %q\ntorn = true\n", l.board, root, cutBoot+l.script, l.disk)
		files["main.toml"] += fmt.Sprintf("[[board]]\nfile = \"%s.toml\"\n", l.board)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return guesttest.RunFile(t, filepath.Join(dir, "main.toml"), o)
}

// recut takes a board's power, and gives it back.
func recut(t *testing.T, app *guesttest.App, board string) {
	t.Helper()
	if err := app.PullPlug(board); err != nil {
		t.Fatal(err)
	}
	app.Until(10*time.Second, "its end", func(e *simbus.Event) bool { return off(e) && e.Board == board })
	if err := app.PowerOn(board); err != nil {
		t.Fatal(err)
	}
}

// allFound waits until each board has looked at what it finds.
func allFound(t *testing.T, app *guesttest.App) {
	t.Helper()
	found := make(map[string]bool)
	app.Until(time.Minute, "each board's check", func(e *simbus.Event) bool {
		if line, _ := e.Get("line"); foundLine.MatchString(line) || strings.HasPrefix(line, "wrong: ") {
			found[e.Board] = true
		}
		return len(found) == len(cutLoads)
	})
}

// cutResult is what the boards said of their transactions.
type cutResult struct {
	committed, checks int
	takes             int // how often a cut took what was not flushed
	wrong             []string
}

var (
	committedLine = regexp.MustCompile(`^committed (\d+)\r?$`)
	foundLine     = regexp.MustCompile(`^found (\d+)\r?$`)
)

// judgeCuts finds what was lost.
func judgeCuts(events []simbus.Event) (r cutResult) {
	last := make(map[string]int)
	for i := range events {
		e := &events[i]
		if e.Kind == disks.KindLost {
			r.takes++
		}
		line, _ := e.Get("line")
		if e.Kind != appliance.KindConsole {
			continue
		}
		if strings.HasPrefix(line, "wrong: ") {
			r.wrong = append(r.wrong, fmt.Sprintf("%s at %v: %s", e.Board, e.Time, line))
		} else if m := committedLine.FindStringSubmatch(line); m != nil {
			last[e.Board], _ = strconv.Atoi(m[1])
			r.committed++
		} else if m := foundLine.FindStringSubmatch(line); m != nil {
			r.checks++
			if n, _ := strconv.Atoi(m[1]); n < last[e.Board] {
				r.wrong = append(r.wrong, fmt.Sprintf("%s at %v: %d transactions are there of %d that were committed", e.Board, e.Time, n, last[e.Board]))
			}
		}
	}
	return r
}

// TestDatabaseCuts: no power cut takes a transaction that was committed, and neither e2fsck
// nor SQLite finds anything, whenever it comes: also while what an earlier one left is mended.
func TestDatabaseCuts(t *testing.T) {
	t.Parallel() // most of it waits for one board
	clocks(t, func(t *testing.T, o guesttest.Options) {
		cuts := 200
		if o.Real {
			cuts = 20
		}
		app := startLoads(t, o)
		chance := rand.New(rand.NewPCG(o.Seed, 17))
		for range cuts {
			board := cutLoads[chance.IntN(len(cutLoads))].board
			if o.Real && chance.IntN(4) > 0 { // else a busy host spends all the time on boots
				app.Console(board, committedLine.String(), time.Minute)
			}
			app.Sleep(time.Duration(chance.IntN(200_000)) * time.Microsecond)
			recut(t, app, board)
		}
		app.Sleep(100 * time.Millisecond)
		for _, l := range cutLoads {
			recut(t, app, l.board)
		}
		allFound(t, app)
		r := judgeCuts(app.Events())
		t.Logf("%d cuts took something %d times; %d transactions were committed, and looked for %d times", cuts, r.takes, r.committed, r.checks)
		few := !o.Real && r.takes < cuts/4 // in real time how many find something under way is up to the host
		if len(r.wrong) > 0 || r.committed < 10*cuts || few || r.checks < cuts/2 {
			t.Error(strings.Join(r.wrong, "\n"))
		}
	})
}

// TestLyingDatabaseCuts: disks that lie about their flushes lose transactions that were
// committed, and that is found.
func TestLyingDatabaseCuts(t *testing.T) {
	t.Parallel()
	app := startLoads(t, guesttest.Options{Seed: 1})
	allFound(t, app)
	for _, l := range cutLoads {
		app.MustSet(l.board+".disk0.lie_about_flush", "on")
	}
	for range 3 {
		app.Sleep(200 * time.Millisecond)
		for _, l := range cutLoads {
			recut(t, app, l.board)
		}
		allFound(t, app)
	}
	r := judgeCuts(app.Events())
	t.Logf("of %d transactions:\n%s", r.committed, strings.Join(r.wrong, "\n"))
	for _, l := range cutLoads {
		if !slices.ContainsFunc(r.wrong, func(w string) bool { return strings.HasPrefix(w, l.board+" ") }) {
			t.Errorf("%s has lost nothing", l.board)
		}
	}
}

const powerCut = "scenarios/power-cut/power-cut.toml"

// TestPowerCutScenario plays the scenario of a log whose power fails: each run is the same,
// in real time it passes as well.
func TestPowerCutScenario(t *testing.T) {
	t.Parallel()
	verified(t, powerCut, 3)
	if out, errs, status := run(t, nil, "run", powerCut, "--clock", "real"); status != 0 || !strings.Contains(out, "PASSED: power-cut") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
