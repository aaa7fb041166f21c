package record

import "backplane/simbus"

// KindRecord is the name of the kind of event.
const KindRecord = "record"

// Events are the kinds of events that only a record has.
var Events = []*simbus.Kind{
	{Name: KindRecord, Doc: "in events.jsonl only, and last: the record ends here, before the run does", Attrs: []simbus.KindAttr{{Key: "detail", Doc: "why"}}},
}
