package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDocuments does what a reader does: it writes the files that the README and
// the documents show, has them checked, and types the commands, one document after
// another, each in a folder of its own beside the repository's boards and scenarios.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			blocks, _, err := parseBlocks(filepath.Base(file), string(text))
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(t)
			for _, b := range blocks {
				r.try(b)
			}
		})
	}
}

// reader is one who tries a document out.
type reader struct {
	t   *testing.T
	dir string
	env []string
	up  []func() // wait for what was started in the background
}

func newReader(t *testing.T) *reader {
	t.Helper()
	// Sockets have short paths, which those of t.TempDir are not.
	dir, err := os.MkdirTemp("", "docs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Dir(backplane(t))
	for _, name := range []string{"bin", "boards", "scenarios"} {
		if err := os.Symlink(filepath.Join(filepath.Dir(bin), name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	runtime := filepath.Join(dir, ".run")
	if err := os.Mkdir(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+runtime)
	r := &reader{t: t, dir: dir, env: env}
	t.Cleanup(func() { // what a document leaves up
		down := exec.Command(backplane(t), "down")
		down.Env = r.env
		_ = down.Run() // there may be nothing
	})
	return r
}

func (r *reader) try(b *block) {
	r.t.Helper()
	if b.before != "" {
		r.command(b, command{line: b.before})
	}
	switch {
	case b.notRun != "":
		r.t.Logf("%s: not run: %s", b, b.notRun)
	case b.language == "toml":
		r.check(b)
	case b.language == "sh" || b.language == "console":
		for _, c := range b.commands() {
			r.command(b, c)
		}
	case b.name != "":
		r.write(b)
	case b.language != "text":
		r.t.Errorf("%s: the language %q: toml, sh and console are tried, text is what is only shown", b, b.language)
	}
}

func (r *reader) write(b *block) {
	r.t.Helper()
	path := filepath.Join(r.dir, b.name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(b.above+b.text+b.below), 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// check writes a board, an appliance or a scenario, and has it checked.
func (r *reader) check(b *block) {
	r.t.Helper()
	if b.name == "" {
		b.name = fmt.Sprintf("line%d.toml", b.line)
	}
	r.write(b)
	r.command(b, command{line: "backplane check " + b.name})
}

// command does one, and looks at what it prints if the document shows that.
func (r *reader) command(b *block, c command) {
	r.t.Helper()
	cmd := exec.Command("sh", "-c", c.line)
	cmd.Dir, cmd.Env, cmd.Stdin = r.dir, r.env, strings.NewReader(c.typed)
	if line, background := strings.CutSuffix(c.line, "&"); background {
		cmd.Args[2] = "exec " + line
		r.background(b, cmd)
		return
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%s: %s: %v\n%s%s", b, c.line, err, &out, &errs)
	}
	if strings.HasSuffix(c.line, "backplane down") {
		for _, wait := range r.up {
			wait()
		}
	}
	if c.prints != "" && !b.printed(c.prints, out.String()) {
		r.t.Errorf("%s: %s prints\n%s%s\nand the document says\n%s", b, c.line, &out, &errs, c.prints)
	}
}

// background starts `backplane up`, waits until its boards are up, as a reader does
// who looks at what it prints, and ends it with the test.
func (r *reader) background(b *block, cmd *exec.Cmd) {
	r.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	wait := sync.OnceFunc(func() {
		for lines.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			r.t.Errorf("%s: %s: %v\n%s", b, cmd.Args[2], err, &errs)
		}
	})
	r.up = append(r.up, wait)
	r.t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		wait()
	})
	for listens := false; lines.Scan(); {
		listens = listens || strings.Contains(lines.Text(), " has started, ")
		if listens && r.boardsAreUp(b) {
			return
		}
	}
	r.t.Fatalf("%s: %s ended", b, cmd.Args[2])
}

// booting is the state of a board whose agent has not reported yet.
var booting = regexp.MustCompile(`(?m)^\S+ +on `)

func (r *reader) boardsAreUp(b *block) bool {
	r.t.Helper()
	ps := exec.Command(backplane(r.t), "ps")
	ps.Env = r.env
	out, err := ps.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: ps: %v\n%s", b, err, out)
	}
	return !booting.Match(out)
}
