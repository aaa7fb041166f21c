package boards

import "time"

// Timing is what things take on a board in virtual time, in which programs compute
// in no time: without it, what waits by asking again and again would hold time still.
// Boot and Startup are for both clocks: a simulated kernel starts faster than any board.
type Timing struct {
	Syscall   Duration `toml:"syscall,omitempty" jsonschema:"default=1us,description=How long a system call of a program takes at least"`
	ClockRead Duration `toml:"clock_read,omitempty" jsonschema:"default=256ns,description=How long it takes at least to read the clock"`
	GPIO      Duration `toml:"gpio,omitempty" jsonschema:"default=1us,description=How long an access to a GPIO line takes"`
	Boot      Duration `toml:"boot,omitempty" jsonschema:"default=0s,description=How long the bootloader takes from power-on or a reset to the kernel's start; in real time too"`
	Startup   Duration `toml:"startup,omitempty" jsonschema:"default=0s,description=How long the kernel takes at least from its start to init; in real time too"`
}

// What things take unless a board file says otherwise: docs/concepts.md says why.
const (
	defaultSyscall   = Duration(time.Microsecond)
	defaultClockRead = Duration(256 * time.Nanosecond) // a step of the clock, so that two readings in a row differ
	defaultGPIO      = Duration(time.Microsecond)
)

// maxTiming and maxBoot bound what can be told.
const (
	maxTiming = Duration(10 * time.Millisecond)
	maxBoot   = Duration(10 * time.Minute)
)

// timing is one entry of the table.
type timing struct {
	key     string
	d       *Duration
	without Duration // what it is if it is left out
	most    Duration
}

func (t *Timing) all() []timing {
	return []timing{
		{"syscall", &t.Syscall, defaultSyscall, maxTiming},
		{"clock_read", &t.ClockRead, defaultClockRead, maxTiming},
		{"gpio", &t.GPIO, defaultGPIO, maxTiming},
		{"boot", &t.Boot, 0, maxBoot},
		{"startup", &t.Startup, 0, maxBoot},
	}
}

func (c *checker) timing() {
	for _, e := range c.b.Time.all() {
		if *e.d > e.most {
			c.doc.Add("time."+e.key, "%s is %s; it must be 0s to %s", e.key, time.Duration(*e.d), time.Duration(e.most))
		}
	}
}
