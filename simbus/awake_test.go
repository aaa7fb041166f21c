package simbus

import (
	"testing"
	"time"
)

// TestAwake stops the program between two looks: that time does not count.
func TestAwake(t *testing.T) {
	var a awake
	host := time.Unix(1000, 0)
	first := a.now(host)
	tests := []struct{ passes, counts time.Duration }{
		{glance, glance},
		{5 * glance, 5 * glance}, // a busy host
		{time.Hour, glance},
		{glance, glance},
		{time.Minute, glance},
	}
	var want time.Duration
	for _, tt := range tests {
		host = host.Add(tt.passes)
		want += tt.counts
		if got := a.now(host).Sub(first); got != want {
			t.Fatalf("after %s it is %s, want %s", tt.passes, got, want)
		}
	}
	a.rest()
	if got := a.now(host.Add(time.Hour)).Sub(first); got != want+time.Hour {
		t.Errorf("what it was not asked about has passed as %s, want all of it", got-want)
	}
}
