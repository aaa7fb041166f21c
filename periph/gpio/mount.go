package gpio

import "backplane/periph"

// BusName is what chips are on that have nothing but pins: board files have the
// controllers as [[gpio]].
const BusName = "gpio"

// Pins is the mount of chips that have nothing but pins, each on a line. Their nodes
// have no address, and so the chip's name to tell them apart.
func Pins() *periph.Mount {
	return &periph.Mount{Bus: BusName, Node: func(n *periph.Node, o *periph.Options) { n.Name += "-" + o.Name }}
}
