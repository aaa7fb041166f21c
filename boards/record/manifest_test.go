package record

import (
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	then := &Manifest{Backplane: "r1", Parts: []Made{{"appliance file", "a.toml", "11"}, {"kernel of b", "linux", "22"}, {"board file of c", "c.toml", "33"}}}
	tests := []struct {
		name string
		now  *Manifest
		want []string
	}{
		{"nothing", then, nil},
		{"moved", &Manifest{Backplane: "r1", Parts: []Made{{"appliance file", "else/a.toml", "11"}, {"kernel of b", "linux", "22"}, {"board file of c", "c.toml", "33"}}}, nil},
		{"all", &Manifest{Backplane: "r2", Parts: []Made{{"appliance file", "a.toml", "12"}, {"kernel of b", "linux", "22"}, {"board file of d", "d.toml", "44"}}},
			[]string{"backplane was r1, and is r2 now", "the appliance file (a.toml) has changed", "the board file of d is new", "the board file of c is gone"}},
		{"a file that was made since", &Manifest{Backplane: "r1", Parts: []Made{{"appliance file", "a.toml", "11"}, {"kernel of b", "linux", ""}, {"board file of c", "c.toml", "33"}}},
			[]string{"the kernel of b (linux) has changed: SHA-256 22 then, no file now"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := then.Changes(tt.now)
			if len(got) != len(tt.want) {
				t.Fatalf("changes are %q", got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("change %d is %q, want %q", i, got[i], tt.want[i])
				}
			}
		})
	}
}
