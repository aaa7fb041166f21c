package tests

import (
	"fmt"
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
