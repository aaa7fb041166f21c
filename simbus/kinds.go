package simbus

// EventKind describes a kind of event: what scenarios are checked against, and the
// documentation is held against.
type EventKind struct {
	Name  string
	Attrs []string // what it can have to say, beside its time, board and part
	Doc   string   // one line
}

// EventKinds are all kinds of events, with their attributes in the order in which
// they stand in an event.
var EventKinds = []EventKind{
	{KindGPIO, []string{"line", "number", "level"}, "a line changed its level: 0 or 1"},
	{KindMissed, []string{"line", "number", "missed", "total"}, "edges that came before the guest had acknowledged the one before"},
	{KindI2C, []string{"addr", "messages", "result"}, "a transaction ended: addr as 0x48, messages as W 00 R 19 00, result ok or nack"},
	{KindSPI, []string{"select", "transfer", "last", "mode", "hz", "result"}, "a transfer ended: transfer as W 9f, R ef 40 17 or X 9f 00 = ff ef, last 1 if the chip was released, result ok, no chip, wrong mode or too fast"},
	{KindUARTTx, []string{"data"}, "the guest sent bytes"},
	{KindUARTRx, []string{"data"}, "the guest was sent bytes"},
	{KindUARTOverrun, []string{"lost", "total"}, "bytes that arrived were dropped, the guest not having read those before, or its board being off"},
	{KindConsole, []string{"line"}, "a whole line appeared on a console or UART"},
	{KindFrame, []string{"from", "length", "summary"}, "a segment took a frame from a port"},
	{KindFrameEnd, []string{"port", "way", "why", "length", "summary", "detail"}, "a frame was dropped at a port: way tx or rx"},
	{KindProperty, []string{"name", "value"}, "a property changed"},
	{KindDevice, []string{"error"}, "a device broke its protocol or was stopped, or two outputs were in conflict"},
	{KindGuest, []string{"state", "detail"}, "what became of a board: on, hello (it is up), off, panic, lost, stuck"},
	{KindExec, []string{"command", "status", "error"}, "a program that was run on a board has ended: with its status, or with the error that kept it from that"},
	{KindLink, []string{"state"}, "a link, wire or port was cut or restored"},
	{KindStep, []string{"step", "result"}, "a scenario's step has ended: passed or failed"},
	{KindGateway, []string{"action", "name", "address", "mac", "protocol", "from", "to", "detail", "sent", "received", "type", "result", "way", "count"},
		"a gateway did something: action lease, advertise, open, refused, closed, forward, dns or dropped"},
	{KindRecord, []string{"detail"}, "in events.jsonl only, and last: the record ends here, before the run does"},
}
