package boards

// Domains says which time domain each board belongs to, counted from 0 in the
// order of their first boards, and how many there are. Boards that links
// without delay join by the appliance's file, directly or through others, share one, and so do
// those of a slot, and those with lockstep.
func (a *Appliance) Domains() (of []int, n int) {
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
	share := func(i, j int) {
		x, y := find(i), find(j)
		root[max(x, y)] = min(x, y)
	}
	for _, l := range a.Links {
		for i := 1; l.Config.Instant() && i < len(l.Ends); i++ {
			share(l.Ends[0].Member, l.Ends[i].Member)
		}
	}
	for _, slot := range a.Slots() { // only one of these boards runs at a time
		cards := a.InSlot(slot)
		for _, card := range cards[1:] {
			share(cards[0], card)
		}
	}
	together := -1
	for i, m := range a.Members() {
		switch {
		case !m.Lockstep:
		case together < 0:
			together = i
		default:
			share(together, i)
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
