package can

import (
	"backplane/simbus"
	"backplane/simbus/can"
)

// Kinds of events of a port.
const (
	KindState   = "can.state"
	KindOverrun = "can.overrun"
)

// Events are the kinds of events of CAN ports. On no bus a port also tells of errors, as a
// bus does.
var Events = []*simbus.Kind{
	{Name: KindState, Doc: "a CAN port changed its state", Attrs: []simbus.KindAttr{
		{Key: "state", Values: []string{can.Stopped.String(), can.ErrorActive.String(), can.ErrorPassive.String(), can.BusOff.String()}},
		{Key: "tec", Doc: "transmit error counter"}, {Key: "rec", Doc: "receive error counter"}}},
	{Name: KindOverrun, Doc: "the board had no room for a CAN frame", Attrs: []simbus.KindAttr{{Key: "total", Doc: "so far"}}},
}
