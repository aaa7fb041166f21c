package spitest_test

import (
	"strings"
	"testing"

	"backplane/periph/spi/spitest"
)

func TestParse(t *testing.T) {
	for _, text := range []string{"W 9f R ef 40 17", "X 00 01 = ff 02", "W 06", "W 02 00 W aa X 01 = 02 R 00"} {
		s, err := spitest.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := spitest.String(s); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	}
	for _, text := range []string{"9f", "W 9", "W zz", "W = 00", "R 00 = 00", "X 00 01 = 02", "X 00 = 01 = 02", "= 00", "W 00ff", "X 00 = W 01"} {
		if _, err := spitest.Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestScript: a script that is played as it is goes well, and says what else happens.
func TestScript(t *testing.T) {
	script := []string{"W 9f R ef 40 17", "X 05 00 = ff 02"}
	for name, c := range map[string]struct {
		played []string
		want   string // in the error of Run, or else of the script
	}{
		"all":      {script, ""},
		"less":     {script[:1], "1 selections have not come"},
		"more":     {append(append([]string{}, script...), "W 06"), "after the end"},
		"other":    {[]string{"W 9e R ef 40 17"}, `got "W 9e R ef 40 17"`},
		"no read":  {[]string{"W 9f"}, "want \"R ef 40 17\" first"},
		"too long": {[]string{"W 9f R ef 40 17 R ff"}, "want the end of the selection"},
	} {
		s, err := spitest.Play(script...)
		if err != nil {
			t.Fatal(err)
		}
		r := &spitest.Recorder{Target: s}
		run := spitest.Run(r, c.played...)
		if name == "all" && (run != nil || r.Log[0] != "X 9f = ff X 00 00 00 = ef 40 17") {
			t.Errorf("%s: %v, recorded %q", name, run, r.Log)
		}
		err = s.Err()
		if (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && name != "other" && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}
