package ether

import "backplane/simbus"

// Events are the kinds of events of segments.
var Events = []*simbus.Kind{
	{Name: simbus.KindFrame, Doc: "a segment took a frame from a port",
		Attrs: []simbus.KindAttr{{Key: "from", Names: simbus.NamesPort, Doc: "the port"}, {Key: "length", Doc: "in bytes"}, {Key: "summary"}}},
	{Name: simbus.KindFrameEnd, Doc: "a frame was dropped at a port",
		Attrs: []simbus.KindAttr{{Key: "port", Names: simbus.NamesPort}, {Key: "way", Values: []string{Tx.String(), Rx.String()}}, {Key: "why", Values: dropNames[:]},
			{Key: "length", Doc: "in bytes"}, {Key: "summary"}, {Key: "detail"}}},
}
