package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// TestRecordOnAFullDisk writes a record where a file holds no more than 1,000
// bytes for a while: each file ends where its first error was, with a whole line if
// it has lines, and the record says so. It runs in a program of its own, since
// such a limit is for all of a program's files.
func TestRecordOnAFullDisk(t *testing.T) {
	dir := os.Getenv("BACKPLANE_TEST_FULL_DISK")
	if dir != "" {
		fullDisk(t, dir)
		return
	}
	dir = t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestRecordOnAFullDisk$")
	cmd.Env = append(os.Environ(), "BACKPLANE_TEST_FULL_DISK="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fullDisk(t *testing.T, dir string) {
	told := make(chan string, 9)
	rec, err := New(Config{Dir: dir, Now: func() simbus.Time { return 2e9 }, Tell: func(text string) { told <- text }})
	if err != nil {
		t.Fatal(err)
	}
	log, err := rec.Events()
	if err != nil {
		t.Fatal(err)
	}
	console, err := rec.File("console", "b.log")
	if err != nil {
		t.Fatal(err)
	}
	small, err := rec.File("uml", "b.log")
	if err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := errors.Join(unix.Getrlimit(unix.RLIMIT_FSIZE, &old), unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: old.Max})); err != nil {
		t.Fatal(err)
	}
	line := func(i int) []byte { return fmt.Appendf(nil, "line %d of some length\n", i) }
	for i := range 100 {
		log.Add(&simbus.Event{Time: simbus.Time(i), Kind: "console"})
		_, _ = console.Write(line(i))
	}
	log.Flush()
	_, _ = small.Write([]byte("all of it"))
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil { // there is room again
		t.Fatal(err)
	}
	for i := range 100 {
		log.Add(&simbus.Event{Time: simbus.Time(100 + i), Kind: "console"})
		_, _ = console.Write(line(100 + i))
	}
	log.Flush()
	err = rec.Close(End{Time: 3e9}, nil)
	var cut *CutError
	if !errors.As(err, &cut) || len(cut.Why) != 2 || !strings.Contains(cut.Why[1], "console/b.log ends at 2.000000000s of the appliance's time, after 1000 bytes: file too large") {
		t.Fatalf("%v", err)
	}
	for range 2 {
		if text := <-told; !strings.Contains(text, "ends at 2.000000000s") {
			t.Errorf("it is told %q", text)
		}
	}
	for name, whole := range map[string]bool{EventsFile: true, "console/b.log": false} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(data) == 0 || len(data) > 1000 || whole && data[len(data)-1] != '\n' {
			t.Errorf("%s has %d bytes, %v, and ends in %q", name, len(data), err, data[max(0, len(data)-30):])
		}
		if bytes.Contains(data, []byte("100")) {
			t.Errorf("%s goes on after the hole:\n%s", name, data)
		}
	}
	if !errors.As(Check(dir), &cut) || strings.Join(cut.Short, " ") != "events.jsonl console/b.log" {
		t.Errorf("read back: %v", cut)
	}
}

// TestCheck takes something off a whole record.
func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		do   func(dir string) error
		want string
	}{
		{"whole", func(string) error { return nil }, ""},
		{"cut", func(dir string) error { return os.Truncate(filepath.Join(dir, InputsFile), 3) }, "inputs.jsonl has 3 of its 6 bytes"},
		{"gone", func(dir string) error { return os.Remove(filepath.Join(dir, "console/b.log")) }, "console/b.log is missing"},
		{"no mark", func(dir string) error { return os.Remove(filepath.Join(dir, EndFile)) }, "no end mark"},
		{"half a mark", func(dir string) error { return os.Truncate(filepath.Join(dir, EndFile), 20) }, "its end mark cannot be read"},
		{"an empty mark", func(dir string) error { return os.WriteFile(filepath.Join(dir, EndFile), []byte("{}"), 0o644) }, "end.json names no files"},
		{"longer", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, InputsFile), []byte("a\nb\nc\nd\n"), 0o644)
		}, "inputs.jsonl has 8 bytes, and had 6 when the run ended"},
		{"another report", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "report.json"), []byte("failed"), 0o644)
		}, "report.json was changed after the run had ended"},
		{"no report", func(dir string) error { return os.Remove(filepath.Join(dir, "report.json")) }, "report.json is missing"},
		{"begun again", func(dir string) error { _, err := New(Config{Dir: dir}); return err }, "no end mark"},
	}
	reports := func(cut error) (map[string][]byte, error) {
		return map[string][]byte{"report.json": []byte("passed")}, cut
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			rec, err := New(Config{Dir: dir, Now: func() simbus.Time { return 0 }})
			if err == nil {
				err = errors.Join(rec.Whole([]byte("a\nb\nc\n"), InputsFile), rec.Whole([]byte("x\n"), "console", "b.log"),
					rec.Whole([]byte("again\n"), "console", "b.log"), rec.Close(End{}, reports), tt.do(dir))
			}
			if err != nil {
				t.Fatal(err)
			}
			var cut *CutError
			err = Check(dir)
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &cut) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestReports: a report knows what is missing of the record, and the mark comes
// after it, also where it could not be written.
func TestReports(t *testing.T) {
	dir := t.TempDir()
	rec, err := New(Config{Dir: dir, Now: func() simbus.Time { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	f, err := rec.File(InputsFile)
	if err != nil {
		t.Fatal(err)
	}
	f.Abandon(errors.New("the disk is full"))
	if err := os.MkdirAll(filepath.Join(dir, "junit.xml", "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	err = rec.Close(End{}, func(cut error) (map[string][]byte, error) {
		if _, err := os.Stat(filepath.Join(dir, EndFile)); err == nil {
			t.Error("the mark is there before the reports")
		}
		return map[string][]byte{"report.json": []byte(cut.Error()), "junit.xml": nil}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "the disk is full; junit.xml ends at") {
		t.Errorf("%v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil || !strings.Contains(string(data), "the disk is full") {
		t.Errorf("%v: the report is %q", err, data)
	}
	var cut *CutError
	if !errors.As(Check(dir), &cut) || strings.Join(cut.Short, " ") != "inputs.jsonl junit.xml" {
		t.Errorf("read back: %v", cut)
	}
}

// TestEventsAreFlushed: an event can be read in its file soon, however few there are.
func TestEventsAreFlushed(t *testing.T) {
	dir := t.TempDir()
	rec, err := New(Config{Dir: dir, Now: func() simbus.Time { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	log, err := rec.Events()
	if err != nil {
		t.Fatal(err)
	}
	log.Add(&simbus.Event{Time: 7, Kind: "console"})
	for { // up to the test's own limit
		data, err := os.ReadFile(filepath.Join(dir, EventsFile))
		if err != nil {
			t.Fatal(err)
		}
		if string(data) == "{\"t\":7,\"kind\":\"console\"}\n" {
			break
		}
	}
	if err := rec.Close(End{}, nil); err != nil {
		t.Error(err)
	}
}

// TestRecordLimit: where the limit is reached all files end, the events with a word of
// that, and what is written at once is there all the same.
func TestRecordLimit(t *testing.T) {
	for _, first := range []string{EventsFile, "console/b.log"} {
		t.Run(first, func(t *testing.T) {
			dir, told := t.TempDir(), make(chan string, 9)
			rec, err := New(Config{Dir: dir, Limit: 10_000, Reached: errors.New("the limit is reached"), Now: func() simbus.Time { return 2e9 }, Tell: func(text string) { told <- text }})
			if err != nil {
				t.Fatal(err)
			}
			log, err := rec.Events()
			if err != nil {
				t.Fatal(err)
			}
			console, err := rec.File("console", "b.log")
			if err != nil {
				t.Fatal(err)
			}
			inputs, err := rec.File(InputsFile)
			if err != nil {
				t.Fatal(err)
			}
			event := func(i int) { log.Add(&simbus.Event{Time: simbus.Time(i), Kind: "console"}) }
			event(1)
			_, _ = console.Write([]byte("line\n"))
			_, _ = inputs.Write([]byte("{}\n"))
			if first == EventsFile {
				for i := range 1000 {
					event(2 + i)
				}
			} else {
				_, _ = console.Write(bytes.Repeat([]byte("x"), 10_000))
			}
			event(5000)
			_, _ = console.Write([]byte("more"))
			if err := rec.Whole(bytes.Repeat([]byte("x"), 10_000), "net.json"); err != nil {
				t.Error(err)
			}
			err = rec.Close(End{Time: 3e9}, nil)
			const want = "it ends at 2.000000000s of the appliance's time: the limit is reached"
			var cut *CutError
			if !errors.As(err, &cut) || len(cut.Why) != 1 || cut.Why[0] != want {
				t.Errorf("it ends with %v", err)
			}
			if text := <-told; !strings.HasPrefix(text, "the record ends at 2.0") {
				t.Errorf("it is told %q", text)
			}
			text, err := os.ReadFile(filepath.Join(dir, "console/b.log"))
			if err != nil || string(text) != "line\n" {
				t.Errorf("the console has %q, %v", text, err)
			}
			events, err := os.ReadFile(filepath.Join(dir, EventsFile))
			lines := strings.Split(strings.TrimSuffix(string(events), "\n"), "\n")
			if err != nil || len(events) > 10_200 || lines[len(lines)-1] != `{"t":2000000000,"kind":"record","detail":"the limit is reached"}` {
				t.Errorf("%d bytes of events, %v, and the last is %s", len(events), err, lines[len(lines)-1])
			}
			if n := len(lines); first == EventsFile && n < 200 || first != EventsFile && n != 2 {
				t.Errorf("%d lines of events", n)
			}
			err = Check(dir)
			if !errors.As(err, &cut) || len(cut.Why) != 1 || cut.Why[0] != want || strings.Join(cut.Short, " ") != "events.jsonl console/b.log" {
				t.Errorf("read back: %v, short %q", err, cut.Short)
			}
		})
	}
}

// TestRecordInAFolderOfLinks: what somebody has put into a folder that others can write to
// leads a record nowhere else.
func TestRecordInAFolderOfLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	victim := filepath.Join(elsewhere, "victim")
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o600), os.Symlink(elsewhere, at("console")),
		os.Symlink(victim, at(EventsFile)), os.Symlink(victim, at("run.json.part")),
		os.Link(victim, at(InputsFile)), os.Link(victim, at("end.json.part")),
		unix.Mkfifo(at("a.pcapng"), 0o600), unix.Mkfifo(at("report.json.part"), 0o600)); err != nil {
		t.Fatal(err)
	}
	rec, err := New(Config{Dir: dir, Now: func() simbus.Time { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{EventsFile, InputsFile, "a.pcapng"} {
		if f, err := rec.File(name); err != nil {
			t.Errorf("what has the place of %s: %v", name, err)
		} else {
			_, _ = f.Write([]byte("theirs"))
		}
	}
	for _, name := range []string{"run.json", "report.json"} {
		if err := rec.Whole([]byte("theirs"), name); err != nil {
			t.Error(err)
		}
	}
	if _, err := rec.File("console", "b.log"); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a link in the place of a folder: %v", err)
	}
	if err := rec.Close(End{}, nil); err != nil {
		t.Error(err)
	}
	for _, name := range []string{EventsFile, InputsFile, "a.pcapng", "run.json", "report.json", EndFile} {
		if info, err := os.Lstat(at(name)); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "mine" {
		t.Errorf("the file elsewhere has %q, %v", data, err)
	}
	if list, err := os.ReadDir(elsewhere); err != nil || len(list) != 1 {
		t.Errorf("%d files are elsewhere, %v", len(list), err)
	}
}
