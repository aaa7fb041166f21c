package boards

import (
	"fmt"
	"strings"
)

// Opening says, for people, what the gateway opens to boards of the host, and to others
// of the boards.
func (g *Gateway) Opening() string {
	if g.Tap != "" || g.Bridge != "" {
		return fmt.Sprintf("gateway %s: this machine's kernel decides what boards reach: it routes and filters", g.Name)
	}
	reach := "all that this machine reaches, private networks too"
	switch {
	case g.config.Allow != nil && len(g.Allow) == 0:
		reach = "nothing outside but its names"
	case g.config.Allow != nil:
		reach = strings.Join(g.Allow, ", ")
	}
	if g.HostAccess {
		reach += ", and this machine's own services"
	} else {
		reach += ", and none of this machine's own services"
	}
	for _, f := range g.Forward {
		reach += fmt.Sprintf("; %s of this machine leads to %s", f.Host, f.To)
	}
	return fmt.Sprintf("gateway %s: boards reach %s", g.Name, reach)
}
