package appliance

import (
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/simbus"
)

// addDomains makes the boards' domains.
func (r *Running) addDomains(a *boards.Appliance) ([]*simbus.Domain, error) {
	of, n := a.Domains()
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
		r.watchFaults(d)
		all[i] = d
	}
	domains := make([]*simbus.Domain, len(of))
	for i := range domains {
		domains[i] = all[of[i]]
	}
	return domains, nil
}

func (r *Running) watchFaults(d *simbus.Domain) {
	d.OnFault = func(addr uintptr, err error) { r.fault(d, addr, err) }
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
