package appliance

import (
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/simbus"
)

// domains says which time domain each board belongs to, counted from 0 in the
// order of their first boards, and how many there are. Boards that links
// without delay join, directly or through others, share one, and so do those of a slot.
func domains(a *boards.Appliance) (of []int, n int) {
	root := make([]int, len(a.Members()))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			i = root[i]
		}
		return i
	}
	for _, l := range a.Links {
		for i := 1; l.Config.Instant() && i < len(l.Ends); i++ {
			x, y := find(l.Ends[0].Member), find(l.Ends[i].Member)
			root[max(x, y)] = min(x, y)
		}
	}
	for _, slot := range a.Slots() { // only one of these boards runs at a time
		cards := a.InSlot(slot)
		for _, card := range cards[1:] {
			x, y := find(cards[0]), find(card)
			root[max(x, y)] = min(x, y)
		}
	}
	of = make([]int, len(root))
	for i := range of {
		if r := find(i); r != i {
			of[i] = of[r]
		} else {
			of[i] = n
			n++
		}
	}
	return of, n
}

// addDomains makes the boards' domains.
func (r *Running) addDomains(a *boards.Appliance) ([]*simbus.Domain, error) {
	of, n := domains(a)
	names := make([][]string, n)
	for i, m := range a.Members() {
		names[of[i]] = append(names[of[i]], m.Name)
	}
	all := make([]*simbus.Domain, n)
	for i := range all {
		d, err := r.cal.AddDomain(strings.Join(names[i], "+"))
		if err != nil {
			return nil, fmt.Errorf("board %s: %w", names[i][0], err)
		}
		d.OnFault = func(addr uintptr, err error) { r.fault(d, addr, err) }
		all[i] = d
	}
	domains := make([]*simbus.Domain, len(of))
	for i := range domains {
		domains[i] = all[of[i]]
	}
	return domains, nil
}

// fault ends the board whose guest memory has gone.
func (r *Running) fault(d *simbus.Domain, addr uintptr, err error) {
	for _, m := range r.machines() {
		for _, x := range m.docks {
			if m.domain == d && x.server != nil && x.server.Maps(addr) {
				m.ended(err)
				return
			}
		}
	}
	panic(fmt.Sprintf("fault at %#x, which is not guest memory", addr))
}
