package serial

import (
	"backplane/simbus"
	"backplane/simbus/serial"
)

// Names of kinds of events.
const (
	KindTx      = "uart.tx"
	KindRx      = "uart.rx"
	KindOverrun = "uart.overrun"
	KindFormat  = "uart.format"
	KindLines   = "uart.lines"
	KindBreak   = "uart.break"
)

// Events are the kinds of events of serial ports.
var Events = []*simbus.Kind{
	{Name: KindTx, Doc: "the guest sent bytes", Attrs: []simbus.KindAttr{{Key: "data"}}},
	{Name: KindRx, Doc: "the guest was sent bytes", Attrs: []simbus.KindAttr{{Key: "data"},
		{Key: "error", Doc: "what is wrong with the last one", Values: []string{errorParity, errorFraming, errorBreak}}}},
	{Name: KindOverrun, Doc: "arriving bytes were dropped: the guest had not opened the port or not read earlier ones, or its board was off",
		Attrs: []simbus.KindAttr{{Key: "lost", Doc: "bytes"}, {Key: "total"}}},
	{Name: KindFormat, Doc: "the guest set a serial port to another rate or format",
		Attrs: []simbus.KindAttr{{Key: "rate", Doc: "9600 baud"}, {Key: "format", Doc: "8N1"}}},
	{Name: KindLines, Doc: "a modem line of a serial port changed", Attrs: []simbus.KindAttr{{Key: "lines", Doc: "those that are active, of rts dtr cts dsr dcd ri"}}},
	{Name: KindBreak, Doc: "the guest began or ended a break", Attrs: []simbus.KindAttr{{Key: "break", Values: []string{onOff(true), onOff(false)}}}},
}

// Errors of a character that has arrived.
const (
	errorParity  = "parity"
	errorFraming = "framing"
	errorBreak   = "break"
)

// errorWord is what is wrong with a character, empty for nothing.
func errorWord(f serial.Flags) string {
	switch {
	case f&serial.Break != 0:
		return errorBreak
	case f&serial.FramingError != 0:
		return errorFraming
	case f&serial.ParityError != 0:
		return errorParity
	}
	return ""
}

func onOff(on bool) string { return map[bool]string{true: "on", false: "off"}[on] }
