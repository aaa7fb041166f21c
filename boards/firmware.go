package boards

import (
	"time"

	"backplane/guest/emulator"
)

// Foreign is the architecture of the board's programs, if it is not the one that boards have.
func (b *Board) Foreign() (emulator.Arch, bool) { return emulator.Named(b.Firmware.Arch) }

// How long a board may take to power off in order, if its file does not say: BusyBox' init
// alone sleeps for a second after each of the signals that it sends to all programs.
const (
	defaultShutdown  = 2 * time.Second
	handoverShutdown = 10 * time.Second // of a board whose init is an init system
)

// ShutdownTime is how long the board may take to power off in order. Time that the host
// measures counts as well, where somebody waits for the end.
func (f *Firmware) ShutdownTime() time.Duration {
	switch {
	case f.Shutdown != 0:
		return time.Duration(f.Shutdown)
	case f.Handover:
		return handoverShutdown
	}
	return defaultShutdown
}

// Patience is how long programs may take of that to end by themselves. The rest is for
// the kernel, after those that have not were killed.
func (f *Firmware) Patience() time.Duration { return f.ShutdownTime() * 3 / 4 }
