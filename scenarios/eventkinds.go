package scenarios

import (
	"slices"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/gateway"
	"backplane/simbus/serial/outlet"
)

// KindStep is the name of the kind of event that tells of a step.
const KindStep = "step"

// events are the kinds of events of scenarios.
var events = []*simbus.Kind{
	{Name: KindStep, Doc: "a scenario's step has ended", Attrs: []simbus.KindAttr{{Key: "step"}, {Key: "result", Values: []string{Passed, Failed}}}},
}

// EventKinds are all kinds of events that an appliance made of such a catalog can have:
// those of controllers, of what joins boards, of boards, and of the run.
func EventKinds(c *periph.Catalog) []*simbus.Kind {
	var all []*simbus.Kind
	for _, k := range c.Controllers {
		all = append(all, k.Events...)
	}
	for _, k := range c.Links {
		all = append(all, k.Events...)
	}
	return slices.Concat(all, periph.Events, appliance.Events, events, gateway.Events, outlet.Events, record.Events)
}
