package appliance

import (
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/simbus"
)

// addDomains finds the time domains of boards that come to those that there are, and makes those that are new.
func (r *Running) addDomains(list []*boards.Member) (domains []*simbus.Domain, err error) {
	of, n := r.appliance.Domains()
	known, names := make([]*simbus.Domain, n), make([][]string, n)
	there := r.machines()
	for i, m := range there {
		known[of[i]] = m.domain
	}
	of = of[len(there):]
	for i, m := range list {
		names[of[i]] = append(names[of[i]], m.Name)
	}
	for i, m := range list {
		d := known[of[i]]
		if d == nil {
			if d, err = r.cal.AddDomain(strings.Join(names[of[i]], "+")); err != nil {
				return nil, fmt.Errorf("board %s: %w", m.Name, err)
			}
			d.OnFault = func(addr uintptr, err error) { r.fault(d, addr, err) }
			known[of[i]] = d
		}
		domains = append(domains, d)
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
