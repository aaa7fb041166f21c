package main

import (
	"testing"
	"time"
)

func TestAddress(t *testing.T) {
	tests := []struct{ name, text, host, want string }{
		{"given", "10.0.0.7/24", "cell3", "10.0.0.7/24"},
		{"from the host name", "10.0.0.0/24", "cell3", "10.0.0.3/24"},
		{"no number", "10.0.0.0/24", "hub", ""},
		{"too high a number", "10.0.0.0/24", "cell300", ""},
		{"not IPv4", "fe80::/64", "cell3", ""},
		{"no prefix length", "10.0.0.1", "cell3", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := address(tt.text, tt.host)
			if (err == nil) != (tt.want != "") || err == nil && got.String() != tt.want {
				t.Errorf("got %s, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestGreetTellsOfChanges(t *testing.T) {
	peers := make(map[string]*peer)
	now := time.Now()
	greet(peers, "cell1", now)
	peers["cell1"].lost = true
	greet(peers, "cell1", now.Add(time.Second))
	if p := peers["cell1"]; p.lost || !p.last.Equal(now.Add(time.Second)) {
		t.Errorf("after a heartbeat: %+v", p)
	}
}
