package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/tomlfile"
	"backplane/simbus/costtest"

	"golang.org/x/sys/unix"
)

// wrong is what Load says of files, of which the first is the scenario.
func wrong(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(filepath.Join(dir, files[0]))
	if err == nil {
		s.turns()
		return ""
	}
	var problems tomlfile.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	return strings.ReplaceAll(err.Error(), dir+"/", "")
}

const good = "appliance = 'a.toml'\n"

// TestScenariosCostWhatTheirSizeIs has files that repeat, include and match as much as
// they can.
func TestScenariosCostWhatTheirSizeIs(t *testing.T) {
	const most = tomlfile.MaxSize / 5
	many := func(first, each string) string {
		return first + strings.Repeat(each, (most-len(first)-100)/len(each))
	}
	match := func(expr string) string { return "[[step]]\nexpect = { console = 'b', match = '" + expr + "' }\n" }
	numbered := func(each string, n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(each, "%", fmt.Sprint(i)))
		}
		return b.String()
	}
	captures := numbered("[[step]]\nexpect = { property = 'b.p.x', capture = 'c%' }\n", 2000)
	for name, tt := range map[string]struct {
		files []string
		want  string
	}{
		"steps without an end":                 {[]string{"s.toml", good + "[[step]]\nwait = '1s'\nrepeat = 9223372036854775807"}, "s.toml:2:3: the scenario has more than 100000 steps, with those that it repeats"},
		"repetitions of a long step":           {[]string{"s.toml", good + "[[step]]\nsend = { to = 'b', text = '" + strings.Repeat("a", most-200) + "' }\nrepeat = 100000"}, ""},
		"repetitions of a long name":           {[]string{"s.toml", good + "[[step]]\nwait = '1s'\nname = '" + strings.Repeat("a", most-200) + "'\nrepeat = 100000"}, "s.toml:4:1: name is 209515 bytes long; it may have 200"},
		"includes that multiply":               {[]string{"s.toml", many(good, "[[step]]\ninclude = 't.toml'\n"), "t.toml", many("", "[[step]]\ninclude = 'u.toml'\n"), "u.toml", many("", "[[step]]\nwait = '1s'\n")}, "s.toml:2:3: the scenario has more than 100000 steps, with those that it repeats"},
		"a file that includes itself":          {[]string{"s.toml", good + "[[step]]\ninclude = 't.toml'\n", "t.toml", "[[step]]\ninclude = 't.toml'\n"}, "t.toml:2:1: t.toml includes itself: t.toml, t.toml"},
		"a long match":                         {[]string{"s.toml", good + match(strings.Repeat("a", most-200))}, "s.toml:3:27: the regular expression has 209515 elements, with those that it repeats; it may have 10000"},
		"a match that repeats":                 {[]string{"s.toml", good + match(strings.Repeat("a{1000}", 11))}, "s.toml:3:27: the regular expression has 11000 elements, with those that it repeats; it may have 10000"},
		"a match that repeats what it repeats": {[]string{"s.toml", good + match("(a{100}){100}")}, "s.toml:3:27: not a regular expression: invalid repeat count in \"{100}\"; the syntax is Go's regexp (RE2)"},
		"a match with many classes":            {[]string{"s.toml", good + match(strings.Repeat(`\p{L}`, 200))}, "s.toml:3:27: the regular expression has "},
		"a deep match":                         {[]string{"s.toml", good + match(strings.Repeat("(", 5000)+strings.Repeat(")", 5000))}, "expression nests too deeply"},
		"many matches":                         {[]string{"s.toml", many(good, match("a{1000}"))}, "elements together, with those that they repeat"},
		"names that nobody captures":           {[]string{"s.toml", good + "[[step]]\nsend = { to = 'b', text = '" + strings.Repeat("${a}", 20_000) + "' }\n"}, "s.toml:3:20: the text has 20000 values of earlier steps in it; it may have 100"},
		"many names":                           {[]string{"s.toml", good + captures + strings.Repeat("[[step]]\nsend = { to = 'b', text = '${a}' }\n", 2000)}, "no step before this one captures ${a}: there are 2000 others"},
		"a long hex":                           {[]string{"s.toml", good + "[[step]]\nsend = { to = 'b', hex = '" + strings.Repeat("0 ", most/3) + "' }"}, `"0" is not a byte`},
		"settings":                             {[]string{"s.toml", good + "[[step]]\n[step.set]\n" + numbered("b.p%.x = 1\n", 10_000)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			size := 0
			for _, text := range tt.files {
				size += len(text)
			}
			var got string
			costtest.Of(size).Run(t, func() { got = wrong(t, append(tt.files, "a.toml", "name = 'b'")...) })
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got  %.2000s\nwant %s", got, tt.want)
			}
			if len(got) > 25_000 {
				t.Errorf("%d bytes are said", len(got))
			}
		})
	}
}

// TestManyIncludes has files with many names, by links to the folder that they stand in.
func TestManyIncludes(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for i := range 500 {
		link := fmt.Sprint("d", i)
		if i < 40 {
			if err := os.Symlink(".", filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&all, "[[step]]\ninclude = 'd%d/t.toml'\n", i%40)
	}
	for name, text := range map[string]string{"s.toml": good + all.String(), "t.toml": all.String(), "a.toml": "name = 'b'"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	costtest.Limit{CPU: 30 * time.Second, Bytes: 4 << 30}.Run(t, func() { _, err = Load(filepath.Join(dir, "s.toml")) })
	var problems tomlfile.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.Contains(p.Text, "more than 1000 files are included, or more than 8 MiB together") {
			return
		}
	}
	t.Errorf("%.1000s", problems)
}

// TestFilesThatScenariosName refuses what has no end, or what nobody writes to.
func TestFilesThatScenariosName(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, is := range map[string]string{"/dev/zero": "a device", pipe: "a pipe"} {
		text := fmt.Sprintf("appliance = %q\n[[step]]\ninclude = %q\n", file, file)
		want := fmt.Sprintf("s.toml:1:1: %[1]s: is %[2]s; it must be a file\ns.toml:3:1: %[1]s: is %[2]s; it must be a file", file, is)
		if got := wrong(t, "s.toml", text); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
