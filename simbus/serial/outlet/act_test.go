package outlet_test

import (
	"strings"
	"testing"

	"backplane/simbus/serial/outlet"

	"github.com/google/go-cmp/cmp"
)

// TestActs are read as they are written, and nothing else is.
func TestActs(t *testing.T) {
	for _, text := range []string{"open", "close", "send", "set 115200 8N1 none", "set 50 5M1.5 xonxoff", "set 4000000 7E2 rtscts",
		"break on", "break off", "break 250ms", "lines", "lines rts", "lines dtr", "lines rts dtr", "purge"} {
		var data []byte
		if text == "send" {
			data = []byte("x")
		}
		a, err := outlet.ParseAct(text, data)
		if err != nil || a.Text() != text || string(a.Data) != string(data) {
			t.Errorf("%q is read as %q %q: %v", text, a.Text(), a.Data, err)
		}
		if text != "send" {
			if _, err := outlet.ParseAct(text, []byte("x")); err == nil {
				t.Errorf("%q takes bytes", text)
			}
		}
	}
	var got []string
	for _, text := range []string{"", "opened", "send x", "set 9600 8N1", "set 0 8N1 none", "set 99999999 8N1 none", "set 9600 9N1 none",
		"set 9600 8N1 all", "break 2m", "break -1s", "lines dcd", "lines dtr rts"} {
		_, err := outlet.ParseAct(text, nil)
		if err == nil {
			t.Fatalf("%q is an act", text)
		}
		got = append(got, err.Error())
	}
	want := `a program at a serial line cannot do ""
a program at a serial line cannot do "opened"
a program at a serial line cannot do "send x"
"9600 8N1" are no settings: write rate, format and flow control, such as 115200 8N1 none
the rate is "0"; it must be 1 to 25000000
the rate is "99999999"; it must be 1 to 25000000
"9N1" is not a format of characters: write data bits (5 to 8), parity (N, E, O, M or S) and stop bits (1, 1.5 or 2), such as 8N1
the flow control is "all"; it must be one of none, rtscts, xonxoff
a break is on, off, or lasts for up to 1m0s: not "2m"
a break is on, off, or lasts for up to 1m0s: not "-1s"
a program at a serial line cannot do "lines dcd"
a program at a serial line cannot do "lines dtr rts"`
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
