package appliance

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"backplane/periph"
	"backplane/periph/net"
	"backplane/simbus/ether"
)

// PortCounts is what a network's port has counted.
type PortCounts struct {
	Segment string            `json:"segment"`
	Port    string            `json:"port"`
	Link    string            `json:"link"` // up or down
	Storms  uint64            `json:"storms"`
	Tx      map[string]uint64 `json:"tx"` // from the board: frames, bytes, ..., dropped.lost, ...
	Rx      map[string]uint64 `json:"rx"` // to the board
}

// Counts are those of all Ethernet ports, in the order of the appliance file.
func (r *Running) Counts() []PortCounts {
	list := []PortCounts{}
	for _, l := range r.segments() {
		if l.Kind != net.Segment {
			continue
		}
		seg := r.segment(l)
		for _, e := range l.Ends {
			port := seg.At(e.Name, "")
			ways := make(map[string]map[string]uint64)
			for _, way := range periph.Ways {
				ways[way] = make(map[string]uint64)
				for _, name := range ether.CounterNames() {
					ways[way][name] = uint64(seg.At(e.Name, way).Get(name).Float())
				}
			}
			list = append(list, PortCounts{Segment: l.Name, Port: e.Name, Link: port.Get(periph.LinkState).Text(),
				Storms: uint64(port.Get("storms").Float()), Tx: ways["tx"], Rx: ways["rx"]})
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
			for _, name := range ether.CounterNames() {
				if !strings.HasPrefix(name, dropped) {
					fmt.Fprintf(w, "\t%d", way.counts[name])
				}
			}
			fmt.Fprintf(w, "\t%s\n", drops(way.counts))
			name, link = "", ""
		}
	}
	w.Flush()
	return out.String()
}

// dropped is the counter of all frames that were dropped, and begins the names of those
// for each reason.
const dropped = "dropped"

// drops says how many frames were dropped and why.
func drops(counts map[string]uint64) string {
	var why []string
	for _, name := range ether.CounterNames() {
		if reason, ok := strings.CutPrefix(name, dropped+"."); ok && counts[name] > 0 {
			why = append(why, fmt.Sprintf("%s %d", reason, counts[name]))
		}
	}
	if len(why) == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", counts[dropped], strings.Join(why, ", "))
}
