package i2c

import (
	"fmt"
	"slices"
)

// Bus is the two wires, and the targets on them.
type Bus struct {
	name    string
	targets [MaxAddress + 1]Target
	bridges []*bridge
}

// bridge is a way to another bus.
type bridge struct {
	far  *Bus
	open func() bool
}

// NewBus makes a bus with nothing on it.
func NewBus(name string) *Bus { return &Bus{name: name} }

// Name is what the bus is called.
func (b *Bus) Name() string { return b.name }

// Attach puts a target on the bus. It is an error if the address is taken or reserved.
func (b *Bus) Attach(addr uint8, t Target) error {
	switch {
	case addr < MinAddress || addr > MaxAddress:
		return fmt.Errorf("attach to %s: address %#02x is reserved: must be %#02x to %#02x", b.name, addr, MinAddress, MaxAddress)
	case b.targets[addr] != nil:
		return fmt.Errorf("attach to %s: address %#02x is taken", b.name, addr)
	}
	b.targets[addr] = t
	return nil
}

// Detach takes the target at an address off the bus.
func (b *Bus) Detach(addr uint8) {
	if addr <= MaxAddress {
		b.targets[addr] = nil
	}
}

// Bridge joins another bus to this one, as a multiplexer's channel does: what is on it
// answers here while open says so, until part is called. The buses must not be joined
// in a circle.
func (b *Bus) Bridge(far *Bus, open func() bool) (part func()) {
	own := &bridge{far, open}
	b.bridges = append(b.bridges, own)
	return func() { b.bridges = slices.DeleteFunc(b.bridges, func(x *bridge) bool { return x == own }) }
}

// Target is what answers at an address, nil for nothing. Where several would, on buses
// that are joined, it is the nearest, and of channels the first.
func (b *Bus) Target(addr uint8) Target {
	if addr > MaxAddress {
		return nil
	}
	if t := b.targets[addr]; t != nil {
		return t
	}
	for _, x := range b.bridges {
		if x.open() {
			if t := x.far.Target(addr); t != nil {
				return t
			}
		}
	}
	return nil
}

// Transfer hands the messages of a transaction, all for one address, to what answers there.
func (b *Bus) Transfer(addr uint8, msgs []Msg) error {
	if t := b.Target(addr); t != nil {
		return t.Transfer(msgs)
	}
	return ErrNoAck
}
