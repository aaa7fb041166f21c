// Package catalog lists what a board can be made of. What is new needs a line here, or
// in the list of chips, and nothing else.
package catalog

import (
	"backplane/periph"
	"backplane/periph/balloon"
	"backplane/periph/block"
	"backplane/periph/can"
	"backplane/periph/chips"
	"backplane/periph/console"
	"backplane/periph/gpio"
	"backplane/periph/i2c"
	"backplane/periph/net"
	"backplane/periph/regmap"
	"backplane/periph/rng"
	"backplane/periph/serial"
	"backplane/periph/share"
	"backplane/periph/spi"
)

// All is everything that ships with Backplane.
var All = &periph.Catalog{
	// Boards have their controllers in this order, in which the kernel numbers what has no
	// number of its own.
	Controllers: []*periph.ControllerKind{
		gpio.Kind,
		i2c.Kind,
		spi.Kind,
		console.Main,
		serial.Kind,
		console.Kind,
		can.Kind,
		net.Kind,
		block.Kind,
		share.Kind,
		rng.Kind,
		balloon.Kind,
		console.Agent,
	},
	Links: []*periph.LinkKind{
		net.Segment,
		serial.Link,
		serial.Bus,
		gpio.Wire,
		can.Bus,
	},
	Models: chips.All,
	Makers: []*periph.Maker{
		regmap.Maker,
	},
}
