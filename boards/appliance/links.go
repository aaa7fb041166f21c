package appliance

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/periph"
)

// place splits board.rest, both of which the appliance's check has found.
func (r *Running) place(text string) (*Machine, string) {
	board, rest, _ := strings.Cut(text, ".")
	m, _ := r.machine(board)
	return m, rest
}

// link is what Cut and Restore act on.
type link interface{ setCut(cut bool) }

// connect makes what runs between the boards.
func (r *Running) connect(a *boards.Appliance) error {
	for i := range a.Segment {
		if err := r.addSegment(&a.Segment[i]); err != nil {
			return err
		}
	}
	for _, l := range a.Links {
		if err := r.addLink(l); err != nil {
			return err
		}
	}
	for i := range a.Gateway {
		if err := r.addGateway(&a.Gateway[i]); err != nil {
			return err
		}
	}
	for i := range a.Segment {
		r.configure(&a.Segment[i])
	}
	for i := range a.Capture {
		if err := r.addCapture(a, &a.Capture[i]); err != nil {
			return err
		}
	}
	return nil
}

// addLink makes a link, and joins it to its boards.
func (r *Running) addLink(l *boards.Link) error {
	joints := make([]periph.Joint, len(l.Ends))
	for i := range l.Ends {
		m := r.machines[l.Ends[i].Member]
		joints[i] = periph.Joint{LinkEnd: l.Ends[i].LinkEnd, Domain: m.domain, Socket: m.end(&l.Ends[i]), Fault: func(text string) { m.fault("", text) }}
	}
	link, err := l.Config.Build(r.linkEnv(l.Kind.Table, l.Name), joints)
	if err != nil {
		return fmt.Errorf("%s %s: %w", l.Kind.Name, l.Name, err)
	}
	r.links[l.Name] = whole{link}
	return nil
}

// linkEnv is what a link of that name gets from the appliance.
func (r *Running) linkEnv(table, name string) *periph.LinkEnv {
	sum := sha256.Sum256(fmt.Appendf(nil, "backplane %d %s %s", r.opts.Seed, table, name))
	return &periph.LinkEnv{Name: name, Calendar: r.cal, Seed: binary.LittleEndian.Uint64(sum[:])}
}

// end is the socket that a link is joined to.
func (m *Machine) end(e *boards.End) any {
	if e.Port == "" {
		return m.wire(e.Line)
	}
	if socket := m.socket(e.Port, ""); socket != nil {
		return socket
	}
	if nic, ok := m.nics[e.Port]; ok {
		return nic
	}
	return m.consoles[e.Port].uart
}

// whole is a link as a whole.
type whole struct{ periph.Link }

func (w whole) setCut(cut bool) { w.Cut("", cut) }
