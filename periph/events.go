package periph

import "backplane/simbus"

// Names of kinds of events.
const (
	KindProperty = "property"
	KindDevice   = "device"
)

// Events are the kinds of events that controllers and chips of all kinds have.
var Events = []*simbus.Kind{
	{Name: KindProperty, Doc: "a property changed", Attrs: []simbus.KindAttr{{Key: "name", Names: simbus.NamesProperty}, {Key: "value", Doc: "without its unit"}}},
	{Name: KindDevice, Doc: "a device broke its protocol or was stopped, or two outputs were in conflict", Attrs: []simbus.KindAttr{{Key: "error"}}},
}
