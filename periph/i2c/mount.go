package i2c

import (
	"fmt"

	"backplane/periph"
)

// BusName is the kind of this bus: board files have it as [[i2c]].
const BusName = "i2c"

// At is the mount of chips that can be strapped to these 7-bit addresses; none: to any.
func At(addresses ...uint8) *periph.Mount {
	key := periph.Spec{Name: "address", Kind: periph.Whole, Hex: true, Required: true, Unique: true,
		Min: MinAddress, Max: MaxAddress, Doc: "7-bit I2C address"}
	for _, a := range addresses {
		key.Only = append(key.Only, float64(a))
	}
	return &periph.Mount{Bus: BusName, Keys: []periph.Spec{key},
		Node: func(n *periph.Node, o *periph.Options) {
			address := uint32(o.Get("address").Int())
			n.Unit = fmt.Sprintf("%x", address)
			n.Properties = append([]periph.NodeProperty{{Name: "reg", Value: address}}, n.Properties...)
		},
		Attach: attach,
	}
}

func attach(bus any, o *periph.Options, c periph.Chip) (detach func(), err error) {
	b, ok := bus.(*Bus)
	if !ok {
		return nil, fmt.Errorf("a %T is not an I2C bus", bus)
	}
	t, err := TargetOf(c)
	if err != nil {
		return nil, err
	}
	address := uint8(o.Get("address").Int())
	if err := b.Attach(address, t); err != nil {
		return nil, err
	}
	leave := func() {}
	if j, ok := c.(Joiner); ok {
		leave = j.Join(b)
	}
	return func() {
		leave()
		b.Detach(address)
	}, nil
}

// AtRange is the mount of chips that can be strapped to all addresses from first to last.
func AtRange(first, last uint8) *periph.Mount { return At(Addresses(first, last)...) }

// Addresses are the 7-bit addresses from first to last.
func Addresses(first, last uint8) []uint8 {
	var list []uint8
	for ; first <= last; first++ {
		list = append(list, first)
	}
	return list
}

// Joiner is a chip that joins other buses to its own.
type Joiner interface {
	// Join joins them, until leave is called.
	Join(b *Bus) (leave func())
}

// TargetOf is a chip as an I2C target, and an error if it is none.
func TargetOf(c periph.Chip) (Target, error) {
	t, ok := c.(Target)
	if !ok {
		return nil, fmt.Errorf("%T does not answer on I2C", c)
	}
	return t, nil
}
