package tests

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"backplane/simbus"
	"backplane/tests/guesttest"
)

// TestRecordLimit lets a board fill its record: the record ends there and says so, the run
// goes on, and has not passed.
func TestRecordLimit(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t)),
		"s.toml": `appliance = "b.toml"
[[step]]
name = "it floods its console"
exec = { board = "b", command = ["/bin/sh", "-c", "head -c 3000000 /dev/zero > /dev/console"] }
[[step]]
name = "it goes on"
exec = { board = "b", command = ["/bin/sh", "-c", "echo more > /dev/console"] }
expect = { console = "b", match = "more" }
`})
	scenario, record := filepath.Join(dir, "s.toml"), filepath.Join(dir, "r")
	out, errs, status := run(t, nil, "run", "--record-limit", "4M", "--out", record, scenario)
	const why = "the record's limit of 4M is reached (--record-limit changes it)"
	if status != 3 || !strings.Contains(errs, why+"; the run goes on") || !strings.Contains(out, "ok    it goes on") || !strings.Contains(out, "FAILED:") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	for name, want := range map[string]string{"report.json": `"result": "failed"`, "junit.xml": "limit of 4M is reached", "end.json": `"cut": "` + why} {
		if data, err := os.ReadFile(filepath.Join(record, name)); err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
	events, err := os.ReadFile(filepath.Join(record, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(events)), "\n")
	var flood bool
	for _, line := range lines {
		e, err := simbus.ParseEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := e.Get("line")
		flood = flood || text == strings.Repeat("\x00", 4096)
	}
	if last := lines[len(lines)-1]; !flood || !strings.Contains(last, `"kind":"record"`) {
		t.Errorf("flood %v; it ends with %s", flood, last)
	}
	if n := folderSize(t, record); n > 4<<20+64<<10 {
		t.Errorf("the record has %d bytes", n)
	}
	if out, errs, status := run(t, nil, "replay", record); status != 1 || !strings.HasPrefix(out, "CUT: ") || !strings.Contains(out, why) {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := run(t, nil, "run", "--record-limit", "0", "--out", record, scenario); status != 0 {
		t.Errorf("without a limit: status %d\n%s%s", status, out, errs)
	}
	if _, errs, status := run(t, nil, "run", "--record-limit", "lots", scenario); status != 2 || !strings.Contains(errs, `"lots" is not an amount of memory`) {
		t.Errorf("status %d\n%s", status, errs)
	}
}

// TestPromisesHaveTests: each test that docs/security.md names is there.
func TestPromisesHaveTests(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Z]\\w*)`").FindAllSubmatch(text, -1)
	if len(named) < 20 {
		t.Errorf("it names %d tests", len(named))
	}
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("docs/security.md names %s, and there is no such test", m[1])
		}
	}
}

// folderSize is how many bytes all files below a folder have.
func folderSize(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
