package serial

import "backplane/simbus"

// Names of kinds of events.
const (
	KindTx      = "uart.tx"
	KindRx      = "uart.rx"
	KindOverrun = "uart.overrun"
)

// Events are the kinds of events of serial ports.
var Events = []*simbus.Kind{
	{Name: KindTx, Doc: "the guest sent bytes", Attrs: []simbus.KindAttr{{Key: "data"}}},
	{Name: KindRx, Doc: "the guest was sent bytes", Attrs: []simbus.KindAttr{{Key: "data"}}},
	{Name: KindOverrun, Doc: "arriving bytes were dropped: the guest had not read earlier ones, or its board was off",
		Attrs: []simbus.KindAttr{{Key: "lost", Doc: "bytes"}, {Key: "total"}}},
}
