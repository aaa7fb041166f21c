package gpio

import "backplane/simbus"

// Names of kinds of events.
const (
	KindLevel  = "gpio"
	KindMissed = "gpio.missed"
)

// Events are the kinds of events of GPIO controllers.
var Events = []*simbus.Kind{
	{Name: KindLevel, Doc: "a line changed its level",
		Attrs: []simbus.KindAttr{{Key: "line", Names: simbus.NamesLine, Doc: "its name"}, {Key: "number"}, {Key: "level", Values: []string{"0", "1"}}}},
	{Name: KindMissed, Doc: "edges that came before the guest had acknowledged the previous one",
		Attrs: []simbus.KindAttr{{Key: "line", Names: simbus.NamesLine, Doc: "its name"}, {Key: "number"}, {Key: "missed", Doc: "edges"}, {Key: "total"}}},
}
