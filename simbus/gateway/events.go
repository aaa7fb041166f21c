package gateway

import "backplane/simbus"

// KindGateway is the kind of the events of gateways.
const KindGateway = "gateway"

// Events are the kinds of events of gateways.
var Events = []*simbus.Kind{
	{Name: KindGateway, Doc: "a gateway did something",
		Attrs: []simbus.KindAttr{
			{Key: "action", Values: []string{ActionLease, ActionAdvertise, ActionOpen, ActionRefused, ActionClosed, ActionForward, ActionDNS, ActionDropped}},
			{Key: "protocol"}, {Key: "from"}, {Key: "to"}, {Key: "detail"}, {Key: "sent", Doc: "bytes"}, {Key: "received", Doc: "bytes"},
			{Key: "name"}, {Key: "address"}, {Key: "mac"}, {Key: "type"}, {Key: "result"}, {Key: "way", Values: []string{"in", "out"}}, {Key: "count"}}},
}
