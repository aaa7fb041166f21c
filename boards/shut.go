package boards

import (
	"fmt"

	"backplane/boards/tomlfile"
)

// shutOutside is about a link's kind, its name and what it leads to.
const shutOutside = "the %s %s leads to %s of the host, which --restrict does not allow"

// CheckShut finds ways from the appliance to the host: gateways, serial ports, and captures that make
// files beside what is recorded.
func (a *Appliance) CheckShut() error {
	var problems tomlfile.Problems
	for i, g := range a.Gateway {
		problems = append(problems, a.doc.Problem(fmt.Sprintf("gateway[%d]", i), "gateway %s leads out of the appliance, which --restrict does not allow", g.Name))
	}
	for _, l := range a.Joined() {
		if what := l.Outside(); what != "" {
			problems = append(problems, a.doc.Problem(l.at, shutOutside, l.Kind.Name, l.Name, what))
		}
	}
	for i, c := range a.Capture {
		if c.FIFO != "" {
			problems = append(problems, a.doc.Problem(fmt.Sprintf("capture[%d].fifo", i), "capture %s makes a named pipe, which --restrict does not allow: without fifo it becomes a file of --out", c.Name))
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}
