package simbus

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEventJSON(t *testing.T) {
	e := Event{Time: 1500, Board: "sensor", Part: "i2c1", Kind: kindI2C,
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

// TestEventOfBytes writes what is no text in hexadecimal digits, which are two for each
// byte, and leaves text to be read, also if there are some such bytes in it.
func TestEventOfBytes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a frame of Modbus", "\x01\x03\x00\x00\x00\x02\xc4\x0b", `"data_hex":"010300000002c40b"`},
		{"a short one", "\xe4\xc3\xa4", `"data":"\udce4ä"`},
		{"colours", "\x1b[32mok\x1b[0m all is well", `"data":"\u001b[32mok\u001b[0m all is well"`},
		{"Greek", "καλημέρα κόσμε", `"data":"καλημέρα κόσμε"`},
		{"lines", "\r\n\r\n\t\r\n\r\n\r\n\r\n", `"data":"\r\n\r\n\t\r\n\r\n\r\n\r\n"`},
	}
	for _, tt := range tests {
		got := string((&Event{Attrs: []Attr{Text("data", tt.text)}}).AppendJSON(nil))
		if want := `{"t":0,` + tt.want + `}`; got != want {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
	}
	long := strings.Repeat("\x00", 4096)
	e := Event{Kind: "console", Attrs: []Attr{Text("line", long)}}
	b := e.AppendJSON(nil)
	if len(b) > 2*len(long)+100 {
		t.Errorf("%d bytes take %d", len(long), len(b))
	}
	if again, err := ParseEvent(b); err != nil || !slices.Equal(again.Attrs, e.Attrs) {
		t.Errorf("they come back as %v, %v", again.Attrs, err)
	}
}

func BenchmarkEventJSON(b *testing.B) {
	e := Event{Time: 1500, Board: "sensor", Part: "console", Kind: "console", Attrs: []Attr{Text("line", "[    0.123456] i2c-core: driver [tmp102] registered")}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendJSON(buf[:0])
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
