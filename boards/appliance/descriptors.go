package appliance

import (
	"fmt"

	"backplane/boards"

	"golang.org/x/sys/unix"
)

// What this program holds open, in file descriptors. A test compares the sum with
// what appliances have.
const (
	fdProgram  = 24 // by itself, and for moments: standard streams, run folder, pollers, control socket
	fdClients  = 32 // room for those who reach the appliance, and for what they start
	fdBoard    = 6  // its clock's poller, its process and what that prints, its time
	fdReal     = 4  // more in real time: how it is woken, and its place on the host's CPUs
	fdDevice   = 3  // its socket, the guest's connection, and the way back
	fdQueue    = 2  // in real time: both ways of a virtqueue's interrupts
	fdGateway  = 8
	fdForward  = 4
	mostQueues = 3 // of a device
)

// Descriptors is how many file descriptors an appliance needs at most, as long as
// no more than a few clients reach it.
func Descriptors(a *boards.Appliance, virtual, recorded bool) (n int) {
	n = fdProgram + fdClients + len(a.Gateway)*fdGateway
	for i := range a.Gateway {
		n += len(a.Gateway[i].Forward) * fdForward
	}
	for _, m := range a.Members() {
		b := m.Board
		n += fdBoard + devices(b)*fdDevice
		if !virtual {
			n += fdReal + devices(b)*mostQueues*fdQueue
		}
		if recorded {
			n += len(b.Terminals()) + 1 // and what the kernel prints on the host side
		}
	}
	if recorded {
		n += 2 + len(a.Capture) // and events and inputs
	}
	for _, l := range a.Joined() {
		if recorded && l.Kind.LinkType != 0 {
			n++ // its frames
		}
	}
	return n
}

// devices is how many its kernel finds, each by a socket of its own.
func devices(b *boards.Board) int {
	return len(b.Controllers()) + b.Spares
}

// checkDescriptors refuses what this program may not hold open. The Go runtime has
// raised the limit already as far as it may go.
func (r *Running) checkDescriptors(a *boards.Appliance) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("ask for the limit of file descriptors: %w", err)
	}
	if need := Descriptors(a, r.opts.Virtual, r.opts.Out != ""); uint64(need) > limit.Cur {
		return fmt.Errorf("the appliance needs up to %d file descriptors; this program may have %d: raise the hard limit (ulimit -Hn, or LimitNOFILE of systemd)",
			need, limit.Cur)
	}
	return nil
}
