package appliance

import "testing"

func TestPanicIn(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"a panic", "[    0.440000] Kernel panic - not syncing: x", "Kernel panic - not syncing: x"},
		{"after a program's beginning of a line", "gs [1]   [   12.440000] Kernel panic - not syncing: x", "Kernel panic - not syncing: x"},
		{"with a caller", "[    0.440000] init: Kernel panic", ""},
		{"a program that talks of one", "Kernel panic - not syncing", ""},
		{"no stamp", "[error] Kernel panic", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := panicIn(tt.line); got != tt.want {
				t.Errorf("panicIn(%q) = %q, want %q", tt.line, got, tt.want)
			}
		})
	}
}
