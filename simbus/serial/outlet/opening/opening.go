// Package opening opens a way from programs on the host to an end of a serial line.
package opening

import (
	"backplane/simbus/serial/outlet"
	"backplane/simbus/serial/outlet/hostpty"
	"backplane/simbus/serial/outlet/rfc2217"
)

// Opening is a way that is open: a [hostpty.Pty] or a [rfc2217.Server].
type Opening interface {
	// Name is where programs find it.
	Name() string
	// Serve begins to give programs an end of the line, which attach makes for each.
	Serve(attach outlet.Attach) error
	Close() error
}

// Open opens a way without names, or a pseudo terminal if the way leads nowhere. At first the
// line's end is set like that.
func Open(w outlet.Way, set outlet.Settings) (Opening, error) {
	if w.Listen == "" {
		return hostpty.Open(w.Pty, set)
	}
	return rfc2217.Listen(w.Listen, set)
}
