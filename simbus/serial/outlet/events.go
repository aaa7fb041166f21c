package outlet

import "backplane/simbus"

// KindHost is the kind of the events of the host's ends.
const KindHost = "uart.host"

// Events are the kinds of events of the host's ends.
var Events = []*simbus.Kind{
	{Name: KindHost, Doc: "a program on the host did something to its end of the port's line, other than send bytes",
		Attrs: []simbus.KindAttr{{Key: "act", Doc: "open, close, purge; set, with rate, format and flow control; break on, off, or how long; lines, with those that are active"}}},
}
