package i2c

import "backplane/simbus"

// KindTransaction is the name of the kind of event.
const KindTransaction = "i2c"

// Events are the kinds of events of I2C controllers.
var Events = []*simbus.Kind{
	{Name: KindTransaction, Doc: "a transaction ended",
		Attrs: []simbus.KindAttr{{Key: "addr", Doc: "0x48"}, {Key: "messages", Doc: "W 00 R 19 00"}, {Key: "result", Values: []string{resultOK, resultNack}}}},
}

// Results of a transaction.
const (
	resultOK   = "ok"
	resultNack = "nack" // an address or a byte was not acknowledged
)
