package ether

import "backplane/simbus"

// Kinds of events of segments.
const (
	KindFrame    = "frame"
	KindFrameEnd = "frame.end"
)

// Events are the kinds of events of segments.
var Events = []*simbus.Kind{
	{Name: KindFrame, Doc: "a segment took a frame from a port",
		Attrs: []simbus.KindAttr{{Key: "from", Names: simbus.NamesPort, Doc: "the port"}, {Key: "length", Doc: "in bytes"}, {Key: "summary"}}},
	{Name: KindFrameEnd, Doc: "a frame was dropped at a port",
		Attrs: []simbus.KindAttr{{Key: "port", Names: simbus.NamesPort}, {Key: "way", Values: []string{Tx.String(), Rx.String()}}, {Key: "why", Values: dropNames[:]},
			{Key: "length", Doc: "in bytes"}, {Key: "summary"}, {Key: "detail"}}},
}
