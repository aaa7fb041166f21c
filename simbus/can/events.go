package can

import (
	"encoding/hex"
	"strings"

	"backplane/simbus"
)

// Kinds of events of a bus.
const (
	KindFrame = "can"
	KindError = "can.error"
)

// Formats of frames.
const (
	formatClassic = "classic"
	formatRemote  = "remote"
	formatFD      = "fd"
)

// Events describe them.
var Events = []*simbus.Kind{
	{Name: KindFrame, Doc: "a CAN frame was sent, and acknowledged", Attrs: []simbus.KindAttr{
		{Key: "from", Doc: "the port"}, {Key: "id", Doc: "in hexadecimal digits: 3, or 8 if it is extended"},
		{Key: "format", Values: []string{formatClassic, formatRemote, formatFD}}, {Key: "length", Doc: "in bytes"},
		{Key: "data", Doc: "in hexadecimal digits"}, {Key: "flags", Values: []string{"brs", "esi", "brs esi"}, Doc: "of a CAN FD frame"}}},
	{Name: KindError, Doc: "an error on a CAN bus", Attrs: []simbus.KindAttr{
		{Key: "error", Values: errorNames[:]}, {Key: "by", Doc: "the port that found it first"}, {Key: "from", Doc: "the port whose frame it was in"},
		{Key: "id", Doc: "of that frame"}, {Key: "bit", Doc: "of that frame, from 0, stuff bits included"}}},
}

// Describe calls emit with what happens on the bus, as events. Nothing is made for it unless
// observed tells whether there are listeners. An error that has no end is told once.
func (b *Bus) Describe(observed func() bool, emit func(kind string, attrs ...simbus.Attr)) {
	b.Tap(func(_ simbus.Time, from *Node, f *Frame, e *Error) {
		switch {
		case !observed() || e != nil && e.Again:
		case e != nil:
			emit(KindError, e.attrs(from, f)...)
		default:
			emit(KindFrame, f.attrs(from)...)
		}
	})
}

func (f *Frame) attrs(from *Node) []simbus.Attr {
	format := formatClassic
	switch {
	case f.Remote:
		format = formatRemote
	case f.FD:
		format = formatFD
	}
	attrs := []simbus.Attr{simbus.Text("from", from.Name()), simbus.Text("id", f.Identifier()), simbus.Text("format", format),
		simbus.Int("length", f.Length), simbus.Text("data", strings.ToUpper(hex.EncodeToString(f.Payload())))}
	switch f.flags() {
	case flagBRS:
		attrs = append(attrs, simbus.Text("flags", "brs"))
	case flagESI:
		attrs = append(attrs, simbus.Text("flags", "esi"))
	case flagBRS | flagESI:
		attrs = append(attrs, simbus.Text("flags", "brs esi"))
	}
	return attrs
}

func (e *Error) attrs(from *Node, f *Frame) []simbus.Attr {
	attrs := []simbus.Attr{simbus.Text("error", e.Kind.String()), simbus.Text("by", e.By.Name())}
	if f != nil {
		attrs = append(attrs, simbus.Text("from", from.Name()), simbus.Text("id", f.Identifier()), simbus.Int("bit", e.Bit))
	}
	return attrs
}
