package spi

import "backplane/simbus"

// KindTransfer is the name of the kind of event.
const KindTransfer = "spi"

// Events are the kinds of events of SPI controllers.
var Events = []*simbus.Kind{
	{Name: KindTransfer, Doc: "a transfer ended",
		Attrs: []simbus.KindAttr{{Key: "select", Doc: "the chip select's number"}, {Key: "transfer", Doc: "W 9f, R ef 40 17 or X 9f 00 = ff ef"},
			{Key: "last", Values: []string{"0", "1"}, Doc: "1 if the chip was released"}, {Key: "mode"}, {Key: "hz"},
			{Key: "result", Values: []string{carriedOut, ErrNoChip.Error(), ErrMode.Error(), ErrTooFast.Error()}}}},
}

// carriedOut is the result of a transfer that a chip took part in.
const carriedOut = "ok"
