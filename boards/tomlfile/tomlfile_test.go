package tomlfile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"backplane/boards/tomlfile"
	"backplane/simbus/costtest"

	"github.com/google/go-cmp/cmp"
)

type even int

func (e *even) UnmarshalText(b []byte) error {
	if len(b)%2 != 0 {
		return errors.New("must have an even number of letters")
	}
	*e = even(len(b))
	return nil
}

type chip struct {
	Name    string            `toml:"name"`
	Address uint8             `toml:"address"`
	Pins    map[string]string `toml:"pins"`
	Rest    map[string]any    `toml:",rest"`
}

type file struct {
	Name  string    `toml:"name"`
	Scale float64   `toml:"scale"`
	On    *bool     `toml:"on"`
	Even  even      `toml:"even"`
	Start time.Time `toml:"start"`
	Bus   []struct {
		Name string `toml:"name"`
		Chip []chip `toml:"chip"`
	} `toml:"bus"`
	Single struct {
		Words []string `toml:"words"`
	} `toml:"single"`
}

func TestParse(t *testing.T) {
	on := true
	var got file
	doc := tomlfile.Parse("x.toml", []byte(`
name = "a"
scale = 2
on = true
even = "four"
start = 2026-01-02T03:04:05Z
single.words = ["x", "y"]
[[bus]]
[[bus.chip]]
name = "c0"
address = 0x48
pins = { alert = "gpio0.1" }
temperature = 21.5
[[bus]]
name = "second"
`), &got)
	if len(doc.Problems) > 0 {
		t.Fatal(doc.Problems)
	}
	want := file{Name: "a", Scale: 2, On: &on, Even: 4, Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	want.Single.Words = []string{"x", "y"}
	want.Bus = append(want.Bus, struct {
		Name string `toml:"name"`
		Chip []chip `toml:"chip"`
	}{Chip: []chip{{Name: "c0", Address: 0x48, Pins: map[string]string{"alert": "gpio0.1"}, Rest: map[string]any{"temperature": 21.5}}}})
	want.Bus = append(want.Bus, struct {
		Name string `toml:"name"`
		Chip []chip `toml:"chip"`
	}{Name: "second"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w := doc.Where("bus[1].name"); w != "line 15" {
		t.Errorf("bus[1].name is said to stand at %s", w)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", "name = \nscale = 1", "f.toml:1:8: expected value but found '\\n' instead"},
		{"an escape at the end", "name = 'a'\n\"\\", "f.toml:2:"},
		{"unknown key", "nmae = 'x'", `f.toml:1:1: unknown key "nmae": did you mean "name"?`},
		{"unknown key far from all", "[single]\nzzzzzz = 1", `f.toml:2:1: unknown key "zzzzzz": there is only words`},
		{"a bad escape", "name = \"\\d+\"", "f.toml:1:9: invalid escape in string '\\d': text in single quotes takes backslashes as they are, as in match = '\\d+'; in double quotes each is written twice"},
		{"text without quotes", "name = sensor", "f.toml:1:8: expected value but found \"sensor\" instead: text stands in quotes, as in name = \"sensor\""},
		{"a table of a list that has not begun", "[[bus.chip]]\nname = 'a'", "f.toml:1:3: [[bus.chip]] belongs to a [[bus]], but none precedes it: write above it\n    [[bus]]\n    name = \"bus0\""},
		{"one table of several", "[bus]\n[[bus.chip]]\nname = 'a'", "f.toml:1:2: [bus] is a single table; there may be several: write [[bus]], or bus = [{ ... }] in one line"},
		{"number for text of a form", "even = 7", "f.toml:1:1: even is the number 7; it must be text in quotes. must have an even number of letters"},
		{"number for text", "name = 7", "f.toml:1:1: name is the number 7; it must be text in quotes: name = \"7\""},
		{"text for number", "scale = 'x'", `f.toml:1:1: scale is the text "x"; it must be a number`},
		{"not a number", "\nscale = nan", "f.toml:2:1: scale is the number NaN; it must be a finite number"},
		{"without end", "scale = -inf", "f.toml:1:1: scale is the number -Inf; it must be a finite number"},
		{"too large", "[[bus]]\n[[bus.chip]]\n  address = 300", "f.toml:3:3: address is the number 300; it must be 0 to 255"},
		{"negative", "[[bus]]\nchip = [{address = -1}]", "f.toml:2:10: address is the number -1; it must be 0 to 255"},
		{"text that says no", "even = 'odd'", "f.toml:1:1: even: must have an even number of letters"},
		{"one table for several", "[bus]\nname='x'", "f.toml:1:2: [bus] is a single table; there may be several: write [[bus]], or bus = [{ ... }] in one line"},
		{"list for text", "name = ['x']", "f.toml:1:1: name is a list; it must be text in quotes"},
		{"wrong element", "[single]\nwords = ['x',\n  3]", "f.toml:3:3: words is the number 3; it must be text in quotes: \"3\""},
		{"all of them, in order", "zz = 1\non = 3\n[[bus]]\nname = true",
			"f.toml:1:1: unknown key \"zz\": did you mean \"on\"?\nf.toml:2:1: on is the number 3; it must be true or false\nf.toml:4:1: name is the boolean true; it must be text in quotes: name = \"true\""},
		{"duplicate key", "name='a'\nname='b'", "f.toml:2:1: Key 'name' has already been defined."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := tomlfile.Parse("f.toml", []byte(tt.text), new(file))
			if got := doc.Problems.Error(); got != tt.want && !(strings.HasSuffix(tt.want, ":") && strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestReadWhatIsNoFile(t *testing.T) {
	for path, want := range map[string]string{
		t.TempDir():              "is a folder; it must be a TOML file",
		t.TempDir() + "/missing": "no such file or directory",
	} {
		doc := tomlfile.Read(path, new(file))
		if got := doc.Problems.Error(); got != path+": "+want {
			t.Errorf("got %q, want %q behind the path", got, want)
		}
	}
}

// FuzzParse looks for texts that crash the reader, and for mistakes without a place.
func FuzzParse(f *testing.F) {
	f.Add([]byte("name = 'x'\n[[bus]]\nchip=[{name='a', pins={b='c'}}]\n"))
	f.Add([]byte("a.b.c = [[1],[{x=1}]]\n[a.d]\n[[a.e]]\n[[a.e.f]]\n"))
	f.Add([]byte("a = [[[{b.c.d = \"\"\"x\n[[[\"\"\"}]]] # [[\n[x.\"y\".'z']\n\"\\\"[\" = ''\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var doc *tomlfile.Doc
		costtest.Of(len(data)).Run(t, func() { doc = tomlfile.Parse("f", data, new(file)) })
		for _, p := range doc.Problems {
			if p.Line < 1 || p.Col < 1 {
				t.Errorf("a mistake without a place: %s", p)
			}
		}
	})
}
