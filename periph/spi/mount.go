package spi

import (
	"fmt"

	"backplane/periph"
)

// BusName is the kind of this bus: board files have it as [[spi]].
const BusName = "spi"

// Select is the mount of chips with a chip select of their own. A board that
// says nothing else drives them in the first of their modes, at their highest clock.
func Select(l Limits) *periph.Mount {
	frequency := periph.Spec{Name: "frequency", Kind: periph.Whole, Unit: "Hz", Min: 1, Max: float64(l.MaxHz),
		Default: periph.Num(float64(l.MaxHz)), Doc: "highest clock that the kernel uses"}
	mode := periph.Spec{Name: "mode", Kind: periph.Whole, Default: periph.Num(float64(l.Modes[0])), Doc: "SPI mode that the kernel uses"}
	for _, m := range l.Modes {
		mode.Only = append(mode.Only, float64(m))
	}
	return &periph.Mount{Bus: BusName,
		Keys: []periph.Spec{
			{Name: "select", Kind: periph.Whole, Required: true, Unique: true, Max: MaxSelects - 1, Doc: "chip select"},
			frequency, mode,
		},
		Node:   node,
		Attach: func(bus any, o *periph.Options, c periph.Chip) (func(), error) { return attach(bus, o, c, l) },
	}
}

// node is Linux Documentation/devicetree/bindings/spi/spi-peripheral-props.yaml.
func node(n *periph.Node, o *periph.Options) {
	cs := uint32(o.Get("select").Int())
	n.Unit = fmt.Sprintf("%x", cs)
	own := []periph.NodeProperty{{Name: "reg", Value: cs}, {Name: "spi-max-frequency", Value: uint32(o.Get("frequency").Int())}}
	for _, bit := range []struct {
		mode Mode
		name string
	}{{CPHA, "spi-cpha"}, {CPOL, "spi-cpol"}, {CSHigh, "spi-cs-high"}} {
		if Mode(o.Get("mode").Int())&bit.mode != 0 {
			own = append(own, periph.NodeProperty{Name: bit.name, Value: true})
		}
	}
	n.Properties = append(own, n.Properties...)
}

func attach(bus any, o *periph.Options, c periph.Chip, l Limits) (detach func(), err error) {
	b, ok := bus.(*Bus)
	if !ok {
		return nil, fmt.Errorf("a %T is not an SPI bus", bus)
	}
	t, err := TargetOf(c)
	if err != nil {
		return nil, err
	}
	cs := o.Get("select").Int()
	if err := b.Attach(cs, t, l); err != nil {
		return nil, err
	}
	return func() { b.Detach(cs) }, nil
}

// TargetOf is a chip as an SPI target, and an error if it is none.
func TargetOf(c periph.Chip) (Target, error) {
	t, ok := c.(Target)
	if !ok {
		return nil, fmt.Errorf("%T does not answer on SPI", c)
	}
	return t, nil
}
