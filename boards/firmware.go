package boards

import (
	"time"

	"backplane/guest/emulator"
)

// Foreign is the architecture of the board's programs, if it is not the one that boards have.
func (b *Board) Foreign() (emulator.Arch, bool) { return emulator.Named(b.Firmware.Arch) }

// defaultShutdown is how long a board may take to power off in order.
const defaultShutdown = 2 * time.Second

// ShutdownTime is how long the board may take to power off in order. Time that the host
// measures counts as well, where somebody waits for the end.
func (f *Firmware) ShutdownTime() time.Duration {
	if f.Shutdown == 0 {
		return defaultShutdown
	}
	return time.Duration(f.Shutdown)
}

// Patience is how long programs may take of that to end by themselves. The rest is for
// the kernel, after those that have not were killed.
func (f *Firmware) Patience() time.Duration { return f.ShutdownTime() * 3 / 4 }
