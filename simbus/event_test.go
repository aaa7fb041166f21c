package simbus

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestEventJSON(t *testing.T) {
	e := Event{Time: 1500, Board: "sensor", Part: "i2c1", Kind: KindI2C,
		Attrs: []Attr{Text("data", "a\"\\\n\x00\xffé"), Int("n", -3)}}
	got := string(e.AppendJSON(nil))
	want := `{"t":1500,"board":"sensor","part":"i2c1","kind":"i2c","data":"a\"\\\n\u0000\udcffé","n":-3}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if v, ok := e.Get("n"); v != "-3" || !ok {
		t.Errorf("n is %q, %v", v, ok)
	}
	if _, ok := e.Get("none"); ok {
		t.Error("found an attribute that is not there")
	}
}

func TestTimeString(t *testing.T) {
	for give, want := range map[Time]string{0: "0.000000000s", 1_500_000_001: "1.500000001s", -5: "-0.000000005s", Never: "never"} {
		if got := give.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(give), got, want)
		}
	}
	if Never.Add(1) != Never || Time(1).Add(2) != 3 {
		t.Error("Add overflows")
	}
}

func FuzzEventJSON(f *testing.F) {
	f.Add("plain", "\xff\x00")
	f.Fuzz(func(t *testing.T, board, text string) {
		e := Event{Board: board, Kind: "k", Attrs: []Attr{Text(text, text)}}
		b := e.AppendJSON(nil)
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if utf8.ValidString(board) && board != "" && v["board"] != board {
			t.Errorf("board %q came back as %q", board, v["board"])
		}
		again, err := ParseEvent((&Event{Kind: "k", Attrs: []Attr{Text("data", text)}}).AppendJSON(nil))
		if got, _ := again.Get("data"); err != nil || got != text {
			t.Errorf("%q came back as %q, %v", text, got, err)
		}
	})
}
