package ether

// counted are what is counted in each direction of a port.
var counted = []struct {
	name string
	read func(*Counters) uint64
}{
	{"frames", func(c *Counters) uint64 { return c.Frames.Load() }},
	{"bytes", func(c *Counters) uint64 { return c.Bytes.Load() }},
	{"unicast", func(c *Counters) uint64 { return c.Unicast.Load() }},
	{"multicast", func(c *Counters) uint64 { return c.Multicast.Load() }},
	{"broadcast", func(c *Counters) uint64 { return c.Broadcast.Load() }},
	{"filtered", func(c *Counters) uint64 { return c.Filtered.Load() }},
	{"corrupted", func(c *Counters) uint64 { return c.Corrupted.Load() }},
	{"duplicated", func(c *Counters) uint64 { return c.Duplicated.Load() }},
	{"reordered", func(c *Counters) uint64 { return c.Reordered.Load() }},
	{"queue_high", func(c *Counters) uint64 { return c.QueueHigh.Load() }},
	{"dropped", (*Counters).Dropped},
}

const droppedFor = "dropped."

// CounterNames are the names of all that is counted in each direction of a port.
func CounterNames() (names []string) {
	for _, c := range counted {
		names = append(names, c.name)
	}
	for _, d := range Drops() {
		names = append(names, droppedFor+d.String())
	}
	return names
}

// Get reads a counter by its name, one of [CounterNames].
func (c *Counters) Get(name string) (uint64, bool) {
	for i := range counted {
		if counted[i].name == name {
			return counted[i].read(c), true
		}
	}
	for _, d := range Drops() {
		if name == droppedFor+d.String() {
			return c.Drops[d].Load(), true
		}
	}
	return 0, false
}
