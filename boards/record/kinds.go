package record

import "backplane/simbus"

// Events are the kinds of events that only a record has.
var Events = []*simbus.Kind{
	{Name: simbus.KindRecord, Doc: "in events.jsonl only, and last: the record ends here, before the run does", Attrs: []simbus.KindAttr{{Key: "detail", Doc: "why"}}},
}
