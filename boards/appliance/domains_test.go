package appliance

import (
	"slices"
	"testing"

	"backplane/boards"
)

func TestDomains(t *testing.T) {
	members := func(names ...string) (list []boards.Member) {
		for _, n := range names {
			list = append(list, boards.Member{Name: n})
		}
		return list
	}
	for _, tt := range []struct {
		name  string
		wires []boards.Wire
		want  []int
		n     int
	}{
		{"no wires", nil, []int{0, 1, 2, 3}, 4},
		{"delays", []boards.Wire{{From: "a.g.1", To: "b.g.1", Delay: 1}}, []int{0, 1, 2, 3}, 4},
		{"one pair", []boards.Wire{{From: "c.g.1", To: "b.g.1"}}, []int{0, 1, 1, 2}, 3},
		{"a chain, from its end", []boards.Wire{{From: "d.g.1", To: "c.g.1"}, {From: "c.g.2", To: "a.g.1"}}, []int{0, 1, 0, 0}, 2},
		{"a ring", []boards.Wire{{From: "a.g.1", To: "b.g.1"}, {From: "b.g.2", To: "d.g.1"}, {From: "d.g.2", To: "a.g.2"}}, []int{0, 0, 1, 0}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &boards.Appliance{Board: members("a", "b", "c", "d"), Wire: tt.wires}
			of, n := domains(a)
			if !slices.Equal(of, tt.want) || n != tt.n {
				t.Errorf("domains %v of %d, want %v of %d", of, n, tt.want, tt.n)
			}
		})
	}
}
