package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"backplane/periph/vhostuser"
	"backplane/periph/virtio"
	"backplane/simbus"
)

// solder makes the board ready to be switched on: files and sockets.
func (m *Machine) solder() error {
	if err := m.writeInitrd(); err != nil {
		return err
	}
	if err := m.writeDeviceTree(); err != nil {
		return err
	}
	for _, d := range m.docks {
		var err error
		m.domain.Do(func() { err = m.serve(d) })
		if err != nil {
			return err
		}
	}
	return nil
}

// connects tells whether it was the board's own kernel that made a connection to one
// of its sockets. Anybody else's is refused, and told of.
func (m *Machine) connects(fd int) bool {
	pid, err := simbus.Peer(fd)
	if err == nil && m.proc != nil && pid == m.proc.PID() {
		return true
	}
	m.fault("", fmt.Sprintf("refused a connection from process %d to a device: only the board's kernel may connect", pid))
	return false
}

// deviceError is told why a device was stopped. A guest that this program cannot
// serve is given up: it would wait for the device for ever.
func (m *Machine) deviceError(name string, err error) {
	m.fault(name, err.Error())
	if errors.Is(err, vhostuser.ErrRefused) {
		m.ended(fmt.Errorf("%s: %w", name, err))
	}
}

// bells are those of the guest that the board runs at the time, for a device
// whose driver sleeps until it is answered. The console's does not: it waits in
// a loop, in interrupts too, in which time may not go on
// (drivers/char/virtio_console.c, __send_to_port).
func (m *Machine) bells(dev virtio.Device) vhostuser.Bells {
	if !m.r.opts.Virtual || dev.ID() == virtio.IDConsole {
		return nil
	}
	return guestBells{m}
}

type guestBells struct{ m *Machine }

func (b guestBells) Answer(bell int, f func()) {
	if g := b.m.guest; g != nil {
		g.Answer(bell, f)
	}
}

func (b guestBells) Ring(bell int) {
	if g := b.m.guest; g != nil {
		g.Ring(bell)
	}
}

// present brings the guest's time up to date before something reaches it.
func (m *Machine) present() {
	if m.guest != nil {
		m.guest.Present()
	}
}

func (m *Machine) writeDeviceTree() error {
	var seed []byte
	if m.r.opts.Virtual {
		s := m.seed("kernel " + strconv.Itoa(m.boots))
		seed = s[:]
	}
	blob := deviceTree(m.drawn, m.name, m.built, m.docks, m.startCPUs(), seed).Blob()
	if err := os.WriteFile(filepath.Join(m.dir, treeFile), blob, 0o600); err != nil {
		return err
	}
	return m.r.record.Whole(blob, "dtb", m.name+".dtb")
}
