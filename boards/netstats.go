package boards

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"backplane/simbus/ether"
)

// counters are what is counted in each direction of a port.
var counters = []struct {
	name string
	read func(*ether.Counters) uint64
}{
	{"frames", func(c *ether.Counters) uint64 { return c.Frames.Load() }},
	{"bytes", func(c *ether.Counters) uint64 { return c.Bytes.Load() }},
	{"unicast", func(c *ether.Counters) uint64 { return c.Unicast.Load() }},
	{"multicast", func(c *ether.Counters) uint64 { return c.Multicast.Load() }},
	{"broadcast", func(c *ether.Counters) uint64 { return c.Broadcast.Load() }},
	{"filtered", func(c *ether.Counters) uint64 { return c.Filtered.Load() }},
	{"corrupted", func(c *ether.Counters) uint64 { return c.Corrupted.Load() }},
	{"duplicated", func(c *ether.Counters) uint64 { return c.Duplicated.Load() }},
	{"reordered", func(c *ether.Counters) uint64 { return c.Reordered.Load() }},
	{"queue_high", func(c *ether.Counters) uint64 { return c.QueueHigh.Load() }},
	{"dropped", (*ether.Counters).Dropped},
}

const droppedFor = "dropped."

func counterNames() (names []string) {
	for _, c := range counters {
		names = append(names, c.name)
	}
	for _, d := range ether.Drops() {
		names = append(names, droppedFor+d.String())
	}
	return names
}

// counter reads one by name.
func counter(c *ether.Counters, name string) (uint64, bool) {
	for i := range counters {
		if counters[i].name == name {
			return counters[i].read(c), true
		}
	}
	for _, d := range ether.Drops() {
		if name == droppedFor+d.String() {
			return c.Drops[d].Load(), true
		}
	}
	return 0, false
}

// PortCounts is what a network's port has counted.
type PortCounts struct {
	Segment string            `json:"segment"`
	Port    string            `json:"port"`
	Link    string            `json:"link"` // up or down
	Storms  uint64            `json:"storms"`
	Tx      map[string]uint64 `json:"tx"` // from the board: frames, bytes, ..., dropped.lost, ...
	Rx      map[string]uint64 `json:"rx"` // to the board
}

// Counts are those of all ports, in the order of the appliance file.
func (r *Running) Counts() []PortCounts {
	list := []PortCounts{}
	read := func(c *ether.Counters) map[string]uint64 {
		values := make(map[string]uint64)
		for _, name := range counterNames() {
			values[name], _ = counter(c, name)
		}
		return values
	}
	for _, n := range r.networks {
		for _, p := range n.list {
			list = append(list, PortCounts{Segment: n.seg.Name(), Port: p.port.Name(), Link: linkState(p.port.Up()), Storms: p.port.Storms(),
				Tx: read(p.port.Counters(ether.Tx)), Rx: read(p.port.Counters(ether.Rx))})
		}
	}
	return list
}

// recordCounts writes them as JSON.
func (r *Running) recordCounts() error {
	b, err := json.MarshalIndent(r.Counts(), "", "  ")
	if err != nil {
		return err
	}
	return r.record.Whole(append(b, '\n'), "net.json")
}

// CountsTable is a table of what ports have counted, two lines for each.
func CountsTable(list []PortCounts) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PORT\tLINK\t\tFRAMES\tBYTES\tUNICAST\tMULTICAST\tBROADCAST\tFILTERED\tCORRUPTED\tDUPLICATED\tREORDERED\tQUEUE\tDROPPED")
	for _, c := range list {
		name, link := c.Segment+":"+c.Port, c.Link
		for _, way := range []struct {
			name   string
			counts map[string]uint64
		}{{"tx", c.Tx}, {"rx", c.Rx}} {
			fmt.Fprintf(w, "%s\t%s\t%s", name, link, way.name)
			for _, c := range counters {
				if c.name != "dropped" {
					fmt.Fprintf(w, "\t%d", way.counts[c.name])
				}
			}
			fmt.Fprintf(w, "\t%s\n", drops(way.counts))
			name, link = "", ""
		}
	}
	w.Flush()
	return out.String()
}

// drops says how many frames were dropped and why.
func drops(counts map[string]uint64) string {
	var why []string
	for _, d := range ether.Drops() {
		if n := counts[droppedFor+d.String()]; n > 0 {
			why = append(why, fmt.Sprintf("%s %d", d, n))
		}
	}
	if len(why) == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", counts["dropped"], strings.Join(why, ", "))
}
