package boards

import (
	"fmt"
	"time"
)

// Timing is what things take on a board in virtual time, in which programs compute
// in no time: without it, what waits by asking again and again would hold time still.
type Timing struct {
	Syscall   Duration `toml:"syscall,omitempty" jsonschema:"default=1us,description=How long a system call of a program takes at least"`
	ClockRead Duration `toml:"clock_read,omitempty" jsonschema:"default=256ns,description=How long it takes at least to read the clock"`
	GPIO      Duration `toml:"gpio,omitempty" jsonschema:"default=1us,description=How long an access to a GPIO line takes"`
}

// What things take unless a board file says otherwise: docs/concepts.md says why.
const (
	defaultSyscall   = Duration(time.Microsecond)
	defaultClockRead = Duration(256 * time.Nanosecond) // a step of the clock, so that two readings in a row differ
	defaultGPIO      = Duration(time.Microsecond)
	defaultFrequency = 100_000 // Hz, I2C standard mode: clock-frequency of the kernel's I2C bindings
)

// maxTiming bounds what can be told.
const maxTiming = Duration(10 * time.Millisecond)

// timing is one entry of the table.
type timing struct {
	key     string
	d       *Duration
	without Duration // what it is if it is left out
}

func (t *Timing) all() []timing {
	return []timing{{"syscall", &t.Syscall, defaultSyscall}, {"clock_read", &t.ClockRead, defaultClockRead}, {"gpio", &t.GPIO, defaultGPIO}}
}

func (c *checker) timing() {
	for _, e := range c.b.Time.all() {
		if *e.d > maxTiming {
			c.doc.Add("time."+e.key, "%s is %s, and must be 0s to %s", e.key, time.Duration(*e.d), time.Duration(maxTiming))
		}
	}
}

// kernelArgs tell a kernel in virtual time what its programs take
// (firmware/kernel/patches).
func (t *Timing) kernelArgs() []string {
	return []string{fmt.Sprintf("um_time.syscall=%d", t.Syscall), fmt.Sprintf("um_time.clock_read=%d", t.ClockRead)}
}
