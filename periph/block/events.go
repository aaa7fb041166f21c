package block

import "backplane/simbus"

// Kinds of events of a disk.
const (
	KindError = "disk.error"
	KindLost  = "disk.lost"
)

// What a request was.
const (
	opRead    = "read"
	opWrite   = "write"
	opFlush   = "flush"
	opDiscard = "discard"
	opZero    = "zero"
	opCut     = "power cut"
)

// Events are the kinds of events of disks.
var Events = []*simbus.Kind{
	{Name: KindError, Doc: "a disk could not do what its board asked for", Attrs: []simbus.KindAttr{
		{Key: "op", Values: []string{opRead, opWrite, opFlush, opDiscard, opZero, opCut}},
		{Key: "sector", Doc: "the first of the request"}, {Key: "error"}}},
	{Name: KindLost, Doc: "a disk's power went, and with it what was not flushed", Attrs: []simbus.KindAttr{{Key: "bytes", Doc: "of the blocks that were written"}}},
}
