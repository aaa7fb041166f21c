// Package outlet is the host's end of a serial line: what a program on the host has of a
// port of a board that is given to the host. The program is a client of package rfc2217 or
// of package hostpty. What it does is an [Act], which can be written down as a line of text,
// so that it can be recorded and done again; what it is told comes through a [Program].
package outlet

import "backplane/simbus/serial"

// Program is told what arrives at its end of the line. It never waits.
type Program interface {
	// Receive is told of bytes. The flags are those of the last. p is the callee's until
	// it returns.
	Receive(p []byte, flags serial.Flags)
	// Lines is told which of the inputs are active now.
	Lines(serial.Lines)
	// Sent is told that so many bytes that it has sent are gone: over the line, or dropped.
	Sent(n int)
}

// Line is an end of a line for one program.
type Line interface {
	// Do does something, and waits until it is done. One goroutine at a time calls it.
	Do(Act) error
}

// Attach gives a program an end of a line, which others may have as well until it opens it.
type Attach func(Program) (Line, error)
