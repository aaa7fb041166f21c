package appliance

import (
	"fmt"
	"path/filepath"
	"strconv"

	"backplane/boards"
	"backplane/periph/vhostuser"
	"backplane/periph/virtio"
)

// dock is a place of which a board's kernel knows from its start, and where it finds the
// controller that is plugged there, if any. Each controller of the board's file has its own; the
// spare ones are for others.
type dock struct {
	name   string // of the controller, or the number of a spare one: no controller has such a name
	spare  bool
	server *vhostuser.Server // nil before the board is soldered
	part   *part             // that is there, nil for none
}

// socketFile is the dock's socket, in the run folder.
func (d *dock) socketFile() string { return d.name + ".sock" }

// addSpares makes the docks for controllers that the board's file does not have.
func (m *Machine) addSpares() {
	for i := range m.board.Spares {
		m.docks = append(m.docks, &dock{name: strconv.Itoa(i), spare: true})
	}
}

// ownDock is the dock of a controller of the board's file, or of one that has the place of such.
func (m *Machine) ownDock(c *boards.Controller) *dock {
	if c.Late() {
		return nil
	}
	for _, d := range m.docks {
		if d.name == c.Name {
			return d
		}
	}
	d := &dock{name: c.Name}
	m.docks = append(m.docks, d)
	return d
}

// settleIn finds a dock for a controller that is plugged.
func (m *Machine) settleIn(p *part) error {
	if p.own != nil {
		p.dock = p.own
		return nil
	}
	for _, d := range m.docks {
		if d.spare && d.part == nil {
			p.dock = d
			return nil
		}
	}
	return fmt.Errorf("board %s has no place for it: the %d that it has beside those of its file are taken: unplug one, or write spares in that, which may be up to %d", m.name, m.board.Spares, boards.MaxSpares)
}

// serve makes a dock's socket.
func (m *Machine) serve(d *dock) error {
	var dev virtio.Device
	if d.part != nil {
		dev = d.part.dev
	}
	o := vhostuser.Options{
		Poller: m.domain, InBand: m.r.opts.Virtual, BeforeCall: m.present, Patience: m.r.opts.StallLimit,
		Memory: uint64(m.board.Memory),
		Peer:   m.connects,
		OnError: func(err error) {
			name := d.name
			if d.part != nil {
				name = d.part.name
			}
			m.deviceError(name, err)
		},
	}
	if !d.spare { // where a console may come, which cannot have them
		o.Bells = m.bells(m.named[d.name].dev)
	}
	var err error
	d.server, err = vhostuser.Listen(filepath.Join(m.dir, d.socketFile()), dev, o)
	return err
}
