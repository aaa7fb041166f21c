package periph

import "backplane/simbus"

// Events are the kinds of events that controllers and chips of all kinds have.
var Events = []*simbus.Kind{
	{Name: simbus.KindProperty, Doc: "a property changed", Attrs: []simbus.KindAttr{{Key: "name", Names: simbus.NamesProperty}, {Key: "value", Doc: "without its unit"}}},
	{Name: simbus.KindDevice, Doc: "a device broke its protocol or was stopped, or two outputs were in conflict", Attrs: []simbus.KindAttr{{Key: "error"}}},
}
