package simbus

// The API below is what the rest of the program builds on; see doc.go.
// STATUS: signatures fixed, being implemented by the lead.

import (
	"context"
	"time"
)

// Calendar holds the time of one appliance.
type Calendar struct{}

// NewVirtual makes a calendar whose time moves only when every guest waits.
func NewVirtual() *Calendar { return nil }

// NewReal makes a calendar that follows the host's clock.
func NewReal() *Calendar { return nil }

// Virtual tells which kind the calendar is.
func (c *Calendar) Virtual() bool { return false }

// AddDomain adds a domain. Domains are ordered by when they were added; where
// times are equal, that order decides.
func (c *Calendar) AddDomain(name string) *Domain { return nil }

// Connect says that what one domain sends to the other takes at least delay.
// Only connected domains may Send to each other.
func (c *Calendar) Connect(from, to *Domain, delay time.Duration) {}

// Subscribe calls f for each event, in order. The event is f's to keep. Call it before the first Advance.
func (c *Calendar) Subscribe(f func(*Event)) {}

// Now is a time that every domain has reached and none has passed, when the
// appliance stands still between two calls of Advance; in real time, the present.
func (c *Calendar) Now() Time { return 0 }

// Advance lets the appliance run until that time, or until ctx ends, or until
// stop returns true for an event. In virtual time stop is looked at each
// Granule, so that the time at which the caller goes on does not depend on the host.
func (c *Calendar) Advance(ctx context.Context, until Time, stop func(*Event) bool) (stopped bool, err error) {
	return false, nil
}

// Granule is how often Advance looks at its stop condition in virtual time.
const Granule = time.Millisecond

// Domain is what shares one time line and one goroutine. It is a [Clock].
type Domain struct{}

// Now is the domain's present time.
func (d *Domain) Now() Time { return 0 }

// At calls f on the domain's goroutine at time t.
func (d *Domain) At(t Time, f func()) *Timer { return nil }

// Emit puts an event into the stream with the domain's present time and board name filled in where empty.
func (d *Domain) Emit(e Event) {}

// Do runs f on the domain's goroutine, at its present time, and returns when it
// is done. From outside only: never from a model.
func (d *Domain) Do(f func()) {}

// Send calls f in the other domain after delay, which must be at least what Connect said.
// Called on d's goroutine. In real time the delay is kept as well as the host can.
func (d *Domain) Send(to *Domain, delay time.Duration, f func()) {}

// Timer is a call that At has put on the calendar.
type Timer struct{}

// Stop takes the call off the calendar; false if it has happened or was stopped before.
func (t *Timer) Stop() bool { return false }
