package boards

import (
	"slices"
	"testing"
)

func TestDomains(t *testing.T) {
	boards := func(names ...string) (list []Member) {
		for _, n := range names {
			list = append(list, Member{Name: n})
		}
		return list
	}
	for _, tt := range []struct {
		name  string
		wires []Wire
		want  []int
		n     int
	}{
		{"no wires", nil, []int{0, 1, 2, 3}, 4},
		{"delays", []Wire{{From: "a.g.1", To: "b.g.1", Delay: 1}}, []int{0, 1, 2, 3}, 4},
		{"one pair", []Wire{{From: "c.g.1", To: "b.g.1"}}, []int{0, 1, 1, 2}, 3},
		{"a chain, from its end", []Wire{{From: "d.g.1", To: "c.g.1"}, {From: "c.g.2", To: "a.g.1"}}, []int{0, 1, 0, 0}, 2},
		{"a ring", []Wire{{From: "a.g.1", To: "b.g.1"}, {From: "b.g.2", To: "d.g.1"}, {From: "d.g.2", To: "a.g.2"}}, []int{0, 0, 1, 0}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &Appliance{Board: boards("a", "b", "c", "d"), Wire: tt.wires}
			of, n := a.domains()
			if !slices.Equal(of, tt.want) || n != tt.n {
				t.Errorf("domains %v of %d, want %v of %d", of, n, tt.want, tt.n)
			}
		})
	}
}
