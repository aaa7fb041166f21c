package boards_test

import (
	"slices"
	"testing"

	"backplane/boards"
	"backplane/periph"
	"backplane/periph/gpio"
)

func TestDomains(t *testing.T) {
	members := func(names ...string) (list []boards.Member) {
		for _, n := range names {
			list = append(list, boards.Member{Name: n})
		}
		return list
	}
	wire := func(from, to int, delay periph.Duration) *boards.Link {
		return &boards.Link{Config: &gpio.WireConfig{Delay: delay}, Ends: []boards.End{{Member: from}, {Member: to}}}
	}
	for _, tt := range []struct {
		name  string
		links []*boards.Link
		want  []int
		n     int
	}{
		{"no wires", nil, []int{0, 1, 2, 3}, 4},
		{"delays", []*boards.Link{wire(0, 1, 1)}, []int{0, 1, 2, 3}, 4},
		{"one pair", []*boards.Link{wire(2, 1, 0)}, []int{0, 1, 1, 2}, 3},
		{"a chain, from its end", []*boards.Link{wire(3, 2, 0), wire(2, 0, 0)}, []int{0, 1, 0, 0}, 2},
		{"a ring", []*boards.Link{wire(0, 1, 0), wire(1, 3, 0), wire(3, 0, 0)}, []int{0, 0, 1, 0}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &boards.Appliance{Board: members("a", "b", "c", "d"), Links: tt.links}
			of, n := a.Domains()
			if !slices.Equal(of, tt.want) || n != tt.n {
				t.Errorf("domains %v of %d, want %v of %d", of, n, tt.want, tt.n)
			}
		})
	}
}
