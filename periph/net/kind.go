package net

import (
	"net"

	"backplane/periph"
)

// Kind is the Ethernet port of board files.
var Kind = &periph.ControllerKind{
	Table:      "ethernet",
	Title:      "Ethernet port",
	Source:     "virtio 1.2 section 5.1; Linux drivers/net/virtio_net.c",
	Kernel:     []string{"CONFIG_VIRTIO_NET"},
	Interface:  true,
	Properties: []periph.Spec{linkSpec()},
	Turns:      newTurns,
	Config:     func() periph.ControllerConfig { return new(Config) },
}

func linkSpec() periph.Spec {
	s := periph.LinkSpec()
	s.Enum, s.Valid = []string{periph.FormatLinkState(true), periph.FormatLinkState(false)}, nil
	return s
}

// Config is one [[ethernet]] table of a board file, but for what init is to do.
type Config struct {
	MAC string `toml:"mac,omitempty" jsonschema:"description=Hardware address; derived from the positions of the board and the port if left out"`
}

// Check reports what is wrong.
func (c *Config) Check(report periph.Report) {
	if c.MAC == "" {
		return
	}
	mac, err := net.ParseMAC(c.MAC)
	switch {
	case err != nil || len(mac) != len(address{}):
		report("mac", "mac is %q; it must be six bytes, such as \"02:00:00:00:00:01\"", c.MAC)
	case address(mac) == address{}:
		report("mac", "mac is all zeros, which is not an address")
	case mac[0]&1 != 0:
		report("mac", "mac %s is a group address: the first byte must be even", c.MAC)
	}
}

// Hardware is the hardware address: that of the table, or one made of the board's place
// in its appliance and the port's on the board.
func (c *Config) Hardware(board, port int) net.HardwareAddr {
	if mac, err := net.ParseMAC(c.MAC); err == nil {
		return mac
	}
	return net.HardwareAddr{0x02, 0x42, 0x50, byte(board >> 8), byte(board), byte(port)}
}

// Build makes the port, without a cable.
func (c *Config) Build(env *periph.Env) (periph.Controller, error) {
	n := New(env.Name, c.Hardware(env.Board, env.Index))
	n.SetLink(false)
	n.Offload = env.Post != nil // in real time, as segments have it: the driver asks only once
	n.ConfigChanged = env.ConfigChanged
	return n, nil
}

// Get reads the state of the link, the port's only property.
func (n *NIC) Get(string) periph.Value { return periph.Str(periph.FormatLinkState(n.Up())) }

// Set takes the link down, or up again.
func (n *NIC) Set(_ string, v periph.Value) error {
	n.SetLink(v.Text() == periph.FormatLinkState(true))
	return nil
}

// Socket is where a segment's cable goes: the port itself.
func (n *NIC) Socket(name string) any {
	if name != "" {
		return nil
	}
	return n
}
