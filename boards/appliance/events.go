package appliance

import "backplane/simbus"

// Names of kinds of events.
const (
	KindGuest   = "guest"
	KindConsole = "console"
	KindExec    = "exec"
	KindLink    = "link"
	KindPlug    = "plug"
)

// Events are the kinds of events of boards as a whole, and of what joins them.
var Events = []*simbus.Kind{
	{Name: KindGuest, Doc: "what became of a board",
		Attrs: []simbus.KindAttr{
			{Key: "state", Values: []string{StateOff, StateBooting, StateUp, StatePanic, StateLost, StateStuck, StateIncomplete},
				Doc: "hello: it is up; incomplete: it is up, but lacks something that its file or set asks for"}, {Key: "detail"}}},
	{Name: KindConsole, Doc: "a whole line appeared on a console or UART", Attrs: []simbus.KindAttr{{Key: "line"}}},
	{Name: KindExec, Doc: "a program on a board has ended with a status, or could not be run",
		Attrs: []simbus.KindAttr{{Key: "command"}, {Key: "status"}, {Key: "error"}}},
	{Name: KindLink, Doc: "a link, wire or port was cut or restored",
		Attrs: []simbus.KindAttr{{Key: "state", Values: []string{linkCut, linkRestored}}}},
	{Name: KindPlug, Doc: "a chip or controller of a board, a board in a slot, or a cable, was plugged or unplugged",
		Attrs: []simbus.KindAttr{{Key: "state", Values: []string{StatePlugged, StateUnplugged}}, {Key: "slot", Doc: "the board's"},
			{Key: "file", Doc: "of a board that the appliance's file does not have: the SHA-256 of its file"}, {Key: "kernel", Doc: "that of its kernel"},
			{Key: "root", Doc: "that of its initial file system"}}},
}

// States of a link.
const (
	linkCut      = "cut"
	linkRestored = "restored"
)
