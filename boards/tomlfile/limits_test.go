package tomlfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus/costtest"

	"golang.org/x/sys/unix"
)

// repeated is made of a text for each number from 0 on, as many as fit into a file.
func repeated(first, each string, size int) string {
	var b strings.Builder
	b.WriteString(first)
	for i := 0; b.Len() < size; i++ {
		if strings.Contains(each, "%") {
			fmt.Fprintf(&b, each, i)
		} else {
			b.WriteString(each)
		}
	}
	return b.String()
}

func nested(open, inner, closed string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(closed, n)
}

// TestFilesCostWhatTheirSizeIs reads what makes a parser work much for little.
// Without limits most of these take minutes or gigabytes.
func TestFilesCostWhatTheirSizeIs(t *testing.T) {
	const most = tomlfile.MaxSize / 5
	deep := "[" + strings.Repeat("a.", 90) + "a]\n"
	tests := []struct{ name, text, want string }{
		{"a dotted key", strings.Repeat("a.", 20_000) + "a = 1", "f:1:202: the file nests more than 100 names and brackets deep"},
		{"a dotted header", "[" + strings.Repeat("a.", 20_000) + "a]", "f:1:203: the file nests more than 100"},
		{"inline tables", "a = " + nested("{ b = ", "1", " }", 3000), "the file nests more than 100"},
		{"lists", "a = " + nested("[", "", "]", 100_000), "f:1:104: the file nests more than 100"},
		{"lists over lines", "a = [\n" + nested("[\n", "", "]\n", 1000), "f:100:1: the file nests more than 100"},
		{"all three", deep + "b.b.b = { c.c.c = [[[{ d = 1 }]]]}", "f:2:20: the file nests more than 100"},
		{"long names", "[" + strings.Repeat("a", 5000) + "]\nb = 1", "f:2:1: the names of a key and its tables are longer than 4096 bytes"},
		{"many deep keys", repeated(deep, "a%d=1\n", 4*most), "too many keys up to here for their depth"},
		{"many long keys", repeated("["+strings.Repeat("a", 4000)+"]\n", "a%d=1\n", 4*most), "too many keys up to here for their depth"},
		{"many dotted keys", repeated("", strings.Repeat("a.", 90)+"a%d=1\n", 4*most), "too many keys up to here for their depth"},
		{"unknown keys", repeated("", "k%d = 1\n", most), `f:1:1: unknown key "k0": did you mean "on"?`},
		{"one key again and again", repeated("", "k = 1\n", most), "f:2:1: Key 'k' has already been defined."},
		{"tables", repeated("", "[k%d]\n", most), `f:1:2: unknown key "k0"`},
		{"lists of tables", repeated("", "[[bus]]\n", most), ""},
		{"a long list", "[single]\nwords = [" + repeated("", "'',", most) + "]", ""},
		{"a long list of what is wrong", "[single]\nwords = [" + repeated("", "1,", most) + "]", "f:2:10: words is the number 1; it must be text in quotes: \"1\""},
		{"inline tables side by side", "bus = [" + repeated("", "{},", most) + "]", ""},
		{"a long text", "even = '" + strings.Repeat("aa", most/2) + "'", ""},
		{"a long text of a wrong kind", "scale = '" + strings.Repeat("a", most) + "'", "aaa [... "},
		{"a long key", strings.Repeat("a", most) + "=1", "aaa [... "},
		{"an open text", repeated("x = \"", "\\\\", most), "f:1:"},
		{"comments", repeated("", "#\n", most), ""},
		{"escapes", "name = \"\"\"" + repeated("", "\\\n", most) + "\"\"\"", ""},
		{"too long", strings.Repeat(" ", tomlfile.MaxSize+1), "f: is longer than 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var doc *tomlfile.Doc
			costtest.Of(len(tt.text)).Run(t, func() { doc = tomlfile.Parse("f", []byte(tt.text), new(file)) })
			all := doc.Problems.Error()
			if !strings.Contains(all, tt.want) || tt.want == "" && all != "" {
				t.Errorf("%.1000s\nwant %q", all, tt.want)
			}
			if len(all) > 20_000 {
				t.Errorf("the messages are %d bytes long", len(all))
			}
		})
	}
}

// TestDeepFilesThatAreGood holds that the limits leave alone what is within them.
func TestDeepFilesThatAreGood(t *testing.T) {
	for name, text := range map[string]string{
		"a dotted key":       "single." + strings.Repeat("a.", 97) + "a = 1",
		"lists":              "words = " + nested("[", "", "]", 98),
		"brackets in texts":  "name = '" + strings.Repeat("[{.", 500) + "' # " + strings.Repeat("[{.", 500) + "\n[single]\nwords = [\"\\\"[[[[\", '''\n" + strings.Repeat("[", 200) + "''']",
		"quotes in texts":    "name = '''''" + strings.Repeat("[", 200) + "'''''\neven = \"\"\"\\\"\"\"" + strings.Repeat("[", 200) + "\"\"\"",
		"many tables":        strings.Repeat("[[bus]]\n[[bus.chip]]\npins.a.b = 'c'\n", 200),
		"texts side by side": "[single]\nwords = [" + strings.Repeat("'a.b.c', \"d.e.f\",\n", 500) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			doc := tomlfile.Parse("f", []byte(text), new(file))
			if !doc.Parsed {
				t.Error(doc.Problems)
			}
		})
	}
}

// TestManyMistakes shows the first of them, in the order of the file.
func TestManyMistakes(t *testing.T) {
	for n, want := range map[int]string{
		20: "f:20:1: unknown key \"zzzzzzz19\": there are bus, even, name, on, scale, single, start",
		21: "and 1 more mistake", 5000: "and 4980 more mistakes",
	} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "zzzzzzz%d = 1\n", i)
		}
		lines := strings.Split(tomlfile.Parse("f", []byte(text.String()), new(file)).Problems.Error(), "\n")
		if got := lines[len(lines)-1]; got != want || len(lines) != min(n, 21) || !strings.HasPrefix(lines[0], "f:1:1: ") {
			t.Errorf("of %d: %d lines, the last %q, want %q", n, len(lines), got, want)
		}
	}
}

// TestSuggestionsCostLittle asks for words among very many, and for a very long one.
func TestSuggestionsCostLittle(t *testing.T) {
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprint("word", i)
	}
	long := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		word  string
		known []string
		want  string
	}{
		{"wort1", many, ": there are 100000 others"},
		{"zzzz", many[:31], "word5, word6, word7, word8 and 1 more"},
		{"wort1", many[:31], `: did you mean "word1"?`},
		{long, []string{long[1:]}, ": there is only xxx"},
	} {
		if got := periph.Suggest(tt.word, tt.known); !strings.Contains(got, tt.want) {
			t.Errorf("%.20s: %.200q, want %q", tt.word, got, tt.want)
		}
	}
}

// TestWhatIsNoFile reads what has no end, or what nobody writes to.
func TestWhatIsNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, make([]byte, tomlfile.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/dev/zero": "is a device; it must be a TOML file", "/dev/urandom": "is a device; it must be a TOML file",
		pipe: "is a pipe; it must be a TOML file", long: "is longer than 1048576 bytes",
	} {
		if got := tomlfile.Read(path, new(file)).Problems.Error(); got != path+": "+want {
			t.Errorf("got %q, want %q behind the path", got, want)
		}
		if keys := tomlfile.Keys(path); len(keys) > 0 {
			t.Errorf("%s has keys: %v", path, keys)
		}
	}
}
