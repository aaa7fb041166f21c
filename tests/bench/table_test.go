package bench

import (
	"bytes"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for name, tt := range map[string]struct {
		here, peer float64
		goal       aim
		want       string
	}{
		"more, met":    {4, 2, atLeast(2), "2.00  at least 2.00: met"},
		"more, missed": {3.9, 2, atLeast(2), "1.95  at least 2.00: MISSED"},
		"less, met":    {0.5, 1, atMost(0.8), "0.50  at most 0.80: met"},
		"less, missed": {0.9, 1, atMost(0.8), "0.90  at most 0.80: MISSED"},
		"no peer":      {3, 0, atLeast(2), "-  no peer"},
		"no aim":       {3, 4, aim{}, "0.75"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			b := &bench{Options: Options{Out: &out}}
			b.compare("this", tt.here, tt.peer, "ms", tt.goal)
			if got := out.String(); !strings.HasSuffix(got, tt.want+"\n") || !strings.HasPrefix(got, "this ") {
				t.Errorf("printed %q, want %q at its end", got, tt.want)
			}
		})
	}
}
