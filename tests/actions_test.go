package tests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// contribution is a program built from this source with what CONTRIBUTING.md says more.
type contribution struct {
	t   *testing.T
	dir string
	bin string
}

// insertion is a line that goes into a file, before the line that has a text.
type insertion struct{ file, before, line string }

// contribute follows what CONTRIBUTING.md says under a heading: its block of Go is a new
// file, and a line goes into a list of another one, before the line that has a text; more
// go into others.
func contribute(t *testing.T, heading, file, list, before, line string, more ...insertion) *contribution {
	t.Helper()
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+heading+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	_, rest, _ = strings.Cut(rest, "```go\n")
	source, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatalf("CONTRIBUTING.md has no Go under %q", heading)
	}
	sources := map[string]string{file: source}
	for _, in := range append(more, insertion{list, before, line}) {
		all, ok := sources[in.file]
		if !ok {
			text, err := os.ReadFile("../" + in.file)
			if err != nil {
				t.Fatal(err)
			}
			all = string(text)
		}
		sources[in.file] = strings.Replace(all, in.before, in.line+in.before, 1)
		if sources[in.file] == all {
			t.Fatalf("%s has no %q", in.file, in.before)
		}
	}
	c := &contribution{t: t, dir: t.TempDir()}
	files := make(map[string]string)
	for name, source := range sources {
		old, err := filepath.Abs("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[old] = c.write(filepath.Base(name), source)
	}
	if out, err := exec.Command("gofmt", "-l", filepath.Join(c.dir, filepath.Base(file))).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt would write it otherwise: %s %v", out, err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		t.Fatal(err)
	}
	c.bin = filepath.Join(c.dir, "backplane")
	out, err := exec.Command("go", "build", "-overlay="+c.write("overlay.json", string(overlay)), "-o", c.bin, "backplane/cmd/backplane").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return c
}

// write writes a file, and returns its path.
func (c *contribution) write(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// says runs the program, and wants what it prints.
func (c *contribution) says(want string, args ...string) {
	c.t.Helper()
	firmware, err := filepath.Abs("../bin/firmware")
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(c.bin, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "BACKPLANE_FIRMWARE="+firmware)
	if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
		c.t.Errorf("%s prints no %q:\n%s", strings.Join(args, " "), want, out)
	}
}

// TestContributedAction follows what CONTRIBUTING.md says of an action: a file and a line
// are enough for steps, their check and schema, clients, records and replays.
func TestContributedAction(t *testing.T) {
	t.Parallel()
	c := contribute(t, "## An action", "boards/appliance/doreset.go", "boards/appliance/action.go", "\tPullPlug,\n", "\tReset,\n")
	c.write("b.toml", "name = \"b\"\n")
	const steps = "appliance = \"b.toml\"\n[[step]]\nreset = \"b\"\nexpect = { event = \"guest\", where = { state = \"hello\" } }\n"
	c.write("s.toml", steps)
	c.write("bad.toml", strings.Replace(steps, "\"b\"", "\"bb\"", 1))
	c.write("near.toml", strings.Replace(steps, "reset", "resett", 1))
	c.says(`bad.toml:3:1: there is no board "bb": did you mean "b"?`, "check", "bad.toml")
	c.says(`unknown key "resett": did you mean "reset"?`, "check", "near.toml")
	c.says(`"Take a board's power for an instant: board"`, "schema", "scenario")
	c.says("backplane reset BOARD", "reset", "--help")
	c.says("PASSED", "run", "--out", "r", "s.toml")
	c.says("SAME", "replay", "r")
}

// TestContributedEvent follows what CONTRIBUTING.md says of an event: scenarios, their
// check and schema, records and replays know it.
func TestContributedEvent(t *testing.T) {
	c := contribute(t, "## An event", "boards/appliance/asked.go", "boards/appliance/events.go", "\t{Name: KindExec,", "\tasked,\n",
		insertion{"boards/appliance/action.go", "\t\treturn x.Kind.do(r, &x)\n", "\t\tr.tellAsked(x)\n"})
	c.write("b.toml", "name = \"b\"\n[[gpio]]\nname = \"gpio0\"\nlines = [\"in\"]\n")
	const steps = "appliance = \"b.toml\"\n[[step]]\nset = { \"b.gpio0.in\" = 1 }\nexpect = { event = \"asked\", where = { action = \"^set$\", place = \"in\" } }\n"
	c.write("s.toml", steps)
	c.write("kind.toml", strings.Replace(steps, "asked", "askd", 1))
	c.write("attribute.toml", strings.Replace(steps, "place =", "plce =", 1))
	c.says(`kind.toml:4:12: there is no kind of event "askd": did you mean "asked"?`, "check", "kind.toml")
	c.says(`an event "asked" has no attribute "plce": did you mean "place"?`, "check", "attribute.toml")
	c.says(`"asked"`, "schema", "scenario")
	c.says("PASSED", "run", "--out", "r", "s.toml")
	c.says("SAME", "replay", "r")
}
