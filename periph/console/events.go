package console

import "backplane/simbus"

// Events are the kinds of events of serial ports and consoles.
var Events = []*simbus.Kind{
	{Name: simbus.KindUARTTx, Doc: "the guest sent bytes", Attrs: []simbus.KindAttr{{Key: "data"}}},
	{Name: simbus.KindUARTRx, Doc: "the guest was sent bytes", Attrs: []simbus.KindAttr{{Key: "data"}}},
	{Name: simbus.KindUARTOverrun, Doc: "bytes that arrived were dropped, the guest not having read those before, or its board being off",
		Attrs: []simbus.KindAttr{{Key: "lost", Doc: "bytes"}, {Key: "total"}}},
	{Name: simbus.KindConsole, Doc: "a whole line appeared on a console or UART", Attrs: []simbus.KindAttr{{Key: "line"}}},
}
