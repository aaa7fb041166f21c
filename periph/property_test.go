package periph_test

import (
	"testing"

	"backplane/periph"
)

// TestFormat writes numbers as people read them.
func TestFormat(t *testing.T) {
	number, whole := periph.Spec{Kind: periph.Number}, periph.Spec{Kind: periph.Whole}
	for _, tt := range []struct {
		spec *periph.Spec
		v    float64
		want string
	}{
		{&number, 4_000_000, "4000000"}, {&number, 21.5, "21.5"}, {&number, 0, "0"}, {&number, -0.001, "-0.001"},
		{&number, 1e-9, "1e-09"}, {&number, 1e30, "1e+30"}, {&whole, 1e15, "1000000000000000"},
	} {
		if got := tt.spec.Format(periph.Num(tt.v)); got != tt.want {
			t.Errorf("%v is written %q, want %q", tt.v, got, tt.want)
		}
	}
}
