package simbus

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseEvent(t *testing.T) {
	for name, e := range map[string]Event{
		"all of it":   {Time: 12, Board: "b", Part: "i2c0", Kind: kindI2C, Attrs: []Attr{Text("addr", "0x48"), Int("n", -5), Text("empty", "")}},
		"of nobody":   {Kind: kindStep, Attrs: []Attr{Text("step", "1 \"quoted\"\n\t\x01 é")}},
		"digits":      {Attrs: []Attr{Text("id_hex", "0a"), Text("data", strings.Repeat("\x00\xff", 9))}},
		"only a time": {Time: 1},
		"bytes":       {Kind: "uart.tx", Attrs: []Attr{Text("data", "\xe4 \xc3\xa4 \xed\xb3\xa4 \\udce4 \xf0\x9f\x98\x80\xf0 \x80\xff"), Text("a", "\xff"), Text("b", "\\\xff\"")}},
	} {
		t.Run(name, func(t *testing.T) {
			line := string(e.AppendJSON(nil))
			got, err := ParseEvent([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			if again := string(got.AppendJSON(nil)); again != line {
				t.Errorf("%s became %s", line, again)
			}
			for _, a := range e.Attrs {
				if v, _ := got.Get(a.Key); v != a.Value() {
					t.Errorf("%q came back as %q", a.Value(), v)
				}
			}
		})
	}
	// What other programs write: pairs, and other cases.
	e, err := ParseEvent([]byte(`{"pair":"\ud83d\ude00\uDCE4","half":"\ud83d\udce4x","lone":"\udc00"}`))
	want := []Attr{Text("pair", "😀\xe4"), Text("half", "📤x"), Text("lone", "\ufffd")}
	if err != nil || !slices.Equal(e.Attrs, want) {
		t.Errorf("%+v, %v", e.Attrs, err)
	}
	for _, bad := range []string{"", "[]", "{", `{"t":`, `{"t":1.5}`, `{"x":null}`, `{"x":{}}`, `{"x_hex":"0"}`, `{"x_hex":"zz"}`, `{"t":1`} {
		if e, err := ParseEvent([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, e)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(`{"t":1,"board":"b","kind":"gpio","level":1}`)
	f.Add(`{"t":"x","t":1}`)
	f.Fuzz(func(t *testing.T, line string) {
		e, err := ParseEvent([]byte(line))
		if err != nil || !utf8.ValidString(line) || strings.Contains(line, `\u`) {
			return
		}
		once := string(e.AppendJSON(nil))
		again, err := ParseEvent([]byte(once))
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice := string(again.AppendJSON(nil)); twice != once {
			t.Errorf("%s became %s", once, twice)
		}
	})
}
