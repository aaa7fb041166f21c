package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A block is a fenced piece of a document, with what the comments above it say, which
// a reader does not see:
//
//	<!-- not run: WHY -->     it is not tried
//	<!-- file: NAME -->       its name, for the commands below it
//	<!-- above: TEXT -->      stands above it in the file
//	<!-- below: TEXT -->      stands below it
//	<!-- before: COMMANDS --> make ready what it takes, by sh
//	<!-- numbers differ -->   those that it prints are not compared
type block struct {
	file     string // of the document
	line     int    // of its fence
	language string
	text     string

	notRun, name, above, below, before string
	numbers                            bool
}

func (b *block) String() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

// documents are the README and what stands in docs/.
func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	return append([]string{"../README.md"}, files...)
}

var (
	fence   = regexp.MustCompile("^( *)```(.*)$")
	comment = regexp.MustCompile(`(?s)^ *<!-- (not run|file|above|below|before|numbers differ)(?::\s*(.*?))?\s*-->\s*$`)
)

// parseBlocks finds the blocks of a document, and returns its prose.
func parseBlocks(name, text string) (blocks []*block, prose string, err error) {
	var out strings.Builder
	b := &block{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		start := i
		switch m := fence.FindStringSubmatch(lines[i]); {
		case m != nil:
			b.file, b.line, b.language = name, i+1, m[2]
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], m[1]+"```"); i++ {
				b.text += strings.TrimPrefix(lines[i], m[1]) + "\n"
			}
			if i == len(lines) {
				return nil, "", fmt.Errorf("%s: does not end", b)
			}
			blocks, b = append(blocks, b), &block{}
		case strings.HasPrefix(strings.TrimSpace(lines[i]), "<!--"):
			for i < len(lines)-1 && !strings.Contains(lines[i], "-->") {
				i++
			}
			if err := b.comment(strings.Join(lines[start:i+1], "\n")); err != nil {
				return nil, "", fmt.Errorf("%s:%d: %w", name, start+1, err)
			}
		case strings.TrimSpace(lines[i]) != "" && *b != (block{}):
			return nil, "", fmt.Errorf("%s:%d: a comment above this is for a block, and there is none", name, i+1)
		default:
			out.WriteString(lines[i] + "\n")
		}
	}
	return blocks, out.String(), nil
}

func (b *block) comment(text string) error {
	m := comment.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("unknown comment %s", text)
	}
	switch m[1] {
	case "not run":
		b.notRun = m[2]
	case "file":
		b.name = m[2]
	case "above":
		b.above = m[2] + "\n"
	case "below":
		b.below = m[2] + "\n"
	case "before":
		b.before = m[2]
	case "numbers differ":
		b.numbers = true
		return nil
	}
	if m[2] == "" {
		return fmt.Errorf("%s: says nothing", text)
	}
	return nil
}

// A command is a line of a block, what is typed at it, and what it prints.
type command struct {
	line, typed, prints string
}

// prompt stands before what is typed at gdb.
const prompt = "(gdb) "

// commands are those of a block: each line of one of language sh, and of language
// console those behind "$ ", with what they print below them.
func (b *block) commands() []command {
	text := strings.ReplaceAll(b.text, "\\\n", "")
	var all []command
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		last := len(all) - 1
		switch shell, isCommand := strings.CutPrefix(line, "$ "); {
		case b.language == "sh" && strings.TrimSpace(line) != "":
			all = append(all, command{line: line})
		case b.language == "sh":
		case isCommand:
			all = append(all, command{line: shell})
		case last < 0:
			all = append(all, command{line: "false # the block begins with no command"})
		case strings.HasPrefix(line, prompt):
			all[last].typed += strings.TrimPrefix(line, prompt) + "\n"
		default:
			all[last].prints += line + "\n"
		}
	}
	return all
}

var digits = regexp.MustCompile(`[0-9]+`)

// printed says whether a command printed what the document shows: "..." stands for
// anything, and space at the ends of lines is nothing.
func (b *block) printed(want, got string) bool {
	tidy := func(s string) string {
		s = strings.ReplaceAll(s, prompt, "")
		lines := strings.Split(strings.ReplaceAll(s, "\r", ""), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " \t")
		}
		s = strings.TrimSpace(strings.Join(lines, "\n"))
		if b.numbers {
			s = digits.ReplaceAllString(s, "0")
			s = regexp.MustCompile(` +`).ReplaceAllString(s, " ")
		}
		return s
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(tidy(want)), `\.\.\.`, `.*?`)
	return regexp.MustCompile(`(?s)^` + pattern + `$`).MatchString(tidy(got))
}

func TestParseBlocks(t *testing.T) {
	text := `Words.

<!-- file: b.toml -->
<!-- above:
name = "b"
-->
~~~toml
cpus = 1
~~~

1. In a list:

   ~~~console
   $ cat \
     b.toml
   name...
   $ gdb b
   (gdb) bt
   #0 main
   ~~~
`
	blocks, prose, err := parseBlocks("x.md", strings.ReplaceAll(text, "~~~", "```"))
	if err != nil || len(blocks) != 2 || !strings.Contains(prose, "In a list") || strings.Contains(prose, "cpus") {
		t.Fatalf("%d blocks, %v\n%s", len(blocks), err, prose)
	}
	want := &block{file: "x.md", line: 7, language: "toml", text: "cpus = 1\n", name: "b.toml", above: "name = \"b\"\n"}
	if diff := cmp.Diff(want, blocks[0], cmp.AllowUnexported(block{})); diff != "" {
		t.Error(diff)
	}
	commands := []command{{line: "cat   b.toml", prints: "name...\n"}, {line: "gdb b", typed: "bt\n", prints: "#0 main\n"}}
	if diff := cmp.Diff(commands, blocks[1].commands(), cmp.AllowUnexported(command{})); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		want, got string
		numbers   bool
		same      bool
	}{
		{"a\nb\n", "a \nb\n\n", false, true},
		{"a\n...\nz\n", "a\nb\nc\nz\n", false, true},
		{"a\n", "a\nb\n", false, false},
		{"took 0.25 s", "took 3.1 s", false, false},
		{"took 0.25 s", "took  3.1 s", true, true},
		{"took 0.25 s", "took long", true, false},
		{"#0 main", "(gdb) #0 main\n(gdb) ", false, true},
	} {
		if got := (&block{numbers: tt.numbers}).printed(tt.want, tt.got); got != tt.same {
			t.Errorf("%q for %q: %v", tt.got, tt.want, got)
		}
	}
	for _, bad := range []string{"~~~sh\nls\n", "<!-- not run -->\n~~~sh\nls\n~~~\n", "<!-- no run: x -->\n~~~sh\n~~~\n", "<!-- file: x -->\nwords\n"} {
		if _, _, err := parseBlocks("x.md", strings.ReplaceAll(bad, "~~~", "```")); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

var (
	span  = regexp.MustCompile("`([^`]+)`")
	link  = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	named = regexp.MustCompile(`^(boards|cmd|docs|firmware|guest|periph|scenarios|simbus|tests|tools)/[A-Za-z0-9_./-]+$`)
	flag  = regexp.MustCompile(`^--[a-z-]+`)
)

// TestDocumentedNames looks at what documents name in passing: files, other
// documents, and the program's commands with their flags.
func TestDocumentedNames(t *testing.T) {
	help := make(map[string]string)
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, prose, err := parseBlocks(file, string(text))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: leads to %v", file, err)
			}
		}
		for _, m := range span.FindAllStringSubmatch(prose, -1) {
			if named.MatchString(m[1]) {
				if found, err := filepath.Glob("../" + m[1] + "*"); err != nil || len(found) == 0 {
					t.Errorf("%s: names %s, which is not there", file, m[1])
				}
			}
			if words := strings.Fields(m[1]); len(words) > 1 && words[0] == "backplane" {
				documented(t, help, file, words[1:])
			}
		}
	}
}

// documented looks for a command and its flags in the program's own help.
func documented(t *testing.T, help map[string]string, file string, words []string) {
	t.Helper()
	name := words[:1]
	if words[0] == "kernel" && len(words) > 1 {
		name = words[:2]
	}
	key := strings.Join(name, " ")
	if _, ok := help[key]; !ok {
		out, _, status := run(t, nil, append([]string{"help"}, name...)...)
		if status != 0 || !bytes.Contains([]byte(out), []byte("backplane "+key)) {
			t.Errorf("%s: there is no command %q", file, key)
		}
		help[key] = out
	}
	for _, w := range words[1:] {
		if w == "--" {
			return // what follows is another program's
		}
		if f := flag.FindString(w); f != "" && !regexp.MustCompile(regexp.QuoteMeta(f)+`\b`).MatchString(help[key]) {
			t.Errorf("%s: %s has no flag %s", file, key, f)
		}
	}
}
