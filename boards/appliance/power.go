package appliance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/guest"
	guestkernel "backplane/guest/kernel"
	"backplane/simbus"

	"go.uber.org/zap"
)

// power is the part of a Machine that comes and goes with its kernel.
type power struct {
	dir    string
	kernel guestkernel.Image
	boots  int
	uml    *record.File // what the kernel prints on the host side

	proc       guest.Guest   // nil while the board is off
	pid        atomic.Int64  // of proc, 0 if that is nil: for whoever only looks
	guest      *simbus.Guest // in virtual time
	powered    bool          // its parts have power
	supply     *simbus.Timer // which goes when this is due
	loader     *simbus.Timer // the bootloader, nil when the kernel has started
	on         simbus.Time   // when it was switched on
	state      string        // for people: off, booting, up, ...
	ending     ending
	whyPulled  string      // what the event of an unplugged board says
	panicked   string      // the console's line that says so
	spoke      bool        // it has a console
	lastLine   string      // on the console
	online     int         // CPUs
	wanted     boards.Size // memory that the board is to have
	told       boards.Size // the last that an event told of
	helloTimer *simbus.Timer
}

// The files of a board's run folder that its kernel is told of.
const (
	treeFile   = "board.dtb"
	initrdFile = "initrd.cpio"
	timeSocket = "time.sock"
)

// ending is what is known of how the kernel is going to end.
type ending uint8

const (
	byItself  ending = iota
	unplugged        // its power was taken
	discarded        // the appliance ends
)

// holdUp is how long a board's supply still lasts when it was switched off in
// order: parts end what they are doing. Supplies have capacitors that last as long.
const holdUp = 10 * time.Millisecond

// States of a board, as guest events and `ps` have them.
const (
	StateOff     = "off"
	StateBooting = "on"    // switched on, its agent has not reported
	StateUp      = "hello" // its agent has reported
	StatePanic   = "panic"
	StateLost    = "lost" // it ended, or was given up, for no good reason
	StateStuck   = "stuck"
	// StateIncomplete is in events only: init could not do something that the board
	// file says. The board comes up without it.
	StateIncomplete = "incomplete"
)

// HelloLimit is how long a board may take to reach its init, in its own time,
// before that is reported. One with much memory may take longer: see slowness.
const HelloLimit = 60 * time.Second

func (m *Machine) setState(state, detail string) {
	m.state = state
	m.tellState(state, detail)
}

// tellState tells of a board's state, or of what it has to do without.
func (m *Machine) tellState(state, detail string) {
	attrs := []simbus.Attr{simbus.Text("state", state)}
	if detail != "" {
		attrs = append(attrs, simbus.Text("detail", detail))
	}
	m.emit("", KindGuest, attrs...)
	m.logState(state, detail)
}

// powerOn gives the board power and starts the kernel. A board that has power but
// no kernel, since that has panicked or is restarting, is reset: parts notice nothing.
func (m *Machine) powerOn() error {
	if m.proc != nil || m.loader != nil {
		return fmt.Errorf("board %s is already on", m.name)
	}
	if m.away {
		return m.notOn()
	}
	if m.supply.Stop() {
		m.powerParts(false)
	}
	reset := m.powered
	m.powerParts(true)
	m.on = m.domain.Now()
	booting := func() { m.setState(StateBooting, m.board.Note(m.r.opts.Virtual)) }
	if m.board.Time.Boot == 0 {
		if err := m.startKernel(); err != nil {
			if !reset { // it is off, as it was
				m.powerParts(false)
			}
			return err
		}
		booting()
		return nil
	}
	booting()
	m.loader = simbus.After(m.domain, time.Duration(m.board.Time.Boot), func() {
		m.loader = nil
		if err := m.startKernel(); err != nil {
			m.setState(StateLost, err.Error())
		}
	})
	return nil
}

// notOn says why a board that is off is.
func (m *Machine) notOn() error {
	if m.away {
		if m.member.Slot == "" {
			return fmt.Errorf("board %s is unplugged: plug it", m.name)
		}
		return fmt.Errorf("board %s is not in its slot, %s: plug it", m.name, m.member.Slot)
	}
	return fmt.Errorf("board %s is off", m.name)
}

// startKernel is what a bootloader does at its end.
func (m *Machine) startKernel() error {
	if m.uml == nil {
		w, err := m.r.record.File("uml", m.name+".log")
		if err != nil {
			return err
		}
		m.uml = w
	}
	if m.boots++; m.boots > 1 {
		if err := m.writeDeviceTree(); err != nil {
			return fmt.Errorf("board %s: %w", m.name, err)
		}
	}
	if slices.ContainsFunc(m.devices(), func(p *part) bool { return !slices.Contains(m.built, p) }) {
		if err := m.rewriteConfig(); err != nil {
			return fmt.Errorf("board %s: %w", m.name, err)
		}
	}
	config := guest.Config{Board: m.name, Kernel: m.kernel, Dir: m.dir, Memory: int64(m.board.Memory), Backing: m.backing, CPUs: m.board.CPUs,
		Tree: treeFile, Initrd: initrdFile, Args: m.board.KernelWords(),
		CPU: m.domain.CPU(), Host: m.r.hostCPUs, Output: m.uml, Guard: m.r.dir.Guard(), Unconfined: m.r.opts.Unconfined}
	if m.r.opts.Virtual {
		if err := m.listenTime(); err != nil {
			return fmt.Errorf("board %s: time socket: %w", m.name, err)
		}
		config.Clock = &guest.Clock{Socket: timeSocket, Syscall: time.Duration(m.board.Time.Syscall), Read: time.Duration(m.board.Time.ClockRead)}
	}
	config.Panics = m.panics(m.boots)
	proc, err := m.r.opts.Boot(config)
	if err != nil {
		if m.guest != nil {
			m.guest.OnGone = nil
			m.guest.Exited()
			m.guest = nil
		}
		return err
	}
	m.proc, m.ending, m.panicked, m.spoke, m.lastLine, m.online = proc, byItself, "", false, "", m.startCPUs()
	if m.wanted, m.told = m.board.Memory, m.board.Memory; m.balloon != nil {
		m.balloon.Reset()
	}
	m.pid.Store(int64(proc.PID()))
	m.log.Info("kernel started", m.t(), zap.Int("kernel_pid", proc.PID()), zap.String("kernel", m.kernel.Path), zap.Int("boot", m.boots))
	if m.guest != nil {
		m.guest.Halted = proc.Halted
	}
	if m.board.CPUs == 1 {
		m.r.placement.Add(m.domain, proc.PID(), m.index, len(m.r.machines()))
	}
	if err := m.domain.Watch(proc.Done(), func() { m.ended(nil) }); err != nil {
		return err
	}
	limit := HelloLimit + slowness(m.board.Memory)
	m.helloTimer = simbus.After(m.domain, limit, func() {
		m.setState(StateStuck, fmt.Sprintf("init has not reported after %s; the last line on the console: %q", limit, m.lastLine))
	})
	return nil
}

// powerParts gives all parts of the board power, or takes it.
func (m *Machine) powerParts(on bool) {
	m.supply.Stop()
	if on == m.powered {
		return
	}
	m.powered = on
	if !on { // what is under way on the buses does not reach the chips, and the lines float
		for _, p := range m.devices() {
			p.dev.Stop()
		}
	}
	for _, p := range m.parts {
		p.seat.Supply(on)
	}
}

// listenTime makes the socket on which the kernel will ask for the time.
func (m *Machine) listenTime() error {
	path := filepath.Join(m.dir, timeSocket)
	_ = os.Remove(path) // of the last time that the board was on
	fd, err := simbus.Listen(path)
	if err != nil {
		return err
	}
	m.guest, err = m.domain.AddGuest(fd, m.r.epoch.UnixNano())
	if err == nil {
		m.guest.OnGone, m.guest.Peer = m.ended, m.connects
	}
	return err
}

// hello is called when the agent reports.
func (m *Machine) hello() {
	m.helloTimer.Stop()
	m.setState(StateUp, "")
	m.tellUntold()
}

// consoleLine looks for a kernel's panic.
func (m *Machine) consoleLine(line string) {
	m.lastLine = line
	if text := guest.PanicIn(line); text != "" && m.panicked == "" {
		m.panicked = text
		m.doom()
	}
}

// panics is what to do when the kernel says on the host's side that it has panicked:
// it has no console to say it on.
func (m *Machine) panics(boot int) func() {
	if g := m.guest; g != nil {
		return g.Doom
	}
	return func() {
		m.domain.Post(func() {
			if m.boots == boot && m.proc != nil {
				m.doom()
			}
		})
	}
}

// lastWords puts on the console what a kernel had to say that ended before it had one.
func (m *Machine) lastWords(proc guest.Guest) {
	t := m.terminal(boards.MainConsole)
	for _, line := range proc.LastWords() {
		t.output([]byte(line + "\r\n"))
	}
}

// doom ends the kernel when it has said its last words: it does not by itself.
func (m *Machine) doom() {
	if m.guest != nil {
		m.guest.Doom()
		return
	}
	proc := m.proc
	if proc == nil {
		return // it has ended
	}
	simbus.After(m.domain, lastWordsLimit, func() {
		if m.proc == proc {
			m.kill(byItself)
		}
	})
}

// lastWordsLimit is how long a kernel may go on printing after it has panicked, in real time.
const lastWordsLimit = time.Second

// kill ends the kernel at once.
func (m *Machine) kill(why ending) {
	if m.proc == nil {
		return
	}
	m.ending = why
	m.proc.Kill()
	m.ended(nil)
}

// ended is called when the kernel's process has ended, or was given up.
func (m *Machine) ended(lost error) {
	proc := m.proc
	if proc == nil {
		return
	}
	if lost != nil || m.panicked != "" {
		proc.Kill()
	}
	m.domain.Unwatch(proc.Done())
	m.proc = nil
	m.pid.Store(0)
	m.r.placement.Remove(m.domain, proc.PID())
	err := proc.Wait()
	m.logKernelEnded(proc.PID(), err)
	if g := m.guest; g != nil {
		m.guest = nil
		g.Exited()
	}
	m.helloTimer.Stop()
	if !m.spoke {
		m.lastWords(proc)
	}
	for _, t := range m.terminals() {
		t.lines.Flush()
	}
	switch {
	case m.ending == discarded:
		m.setState(StateOff, "plug pulled")
	case m.ending == unplugged:
		m.setState(StateOff, m.whyPulled)
		m.powerParts(false)
	case m.panicked != "":
		m.setState(StatePanic, m.panicked)
	case lost != nil:
		m.setState(StateLost, lost.Error())
	case errors.Is(err, guest.ErrRestart):
		m.setState(StateOff, "restarting")
		m.domain.At(m.domain.Now(), func() { // when the devices have seen its end
			if err := m.powerOn(); err != nil {
				m.setState(StateLost, err.Error())
			}
		})
	case err != nil:
		m.setState(StateLost, fmt.Sprintf("the kernel ended: %v; the last line on the console: %q", err, m.lastLine))
	default:
		m.setState(StateOff, "")
		m.supply = simbus.After(m.domain, holdUp, func() { m.powerParts(false) })
	}
	// Last, so that why the board went off is there to be read for whoever waits for its programs.
	m.agent.Gone()
	m.forget("")
}

// close ends the board for good.
func (m *Machine) close() error {
	m.kill(discarded)
	m.loader.Stop()
	var errs []error
	for _, d := range m.docks {
		if d.server != nil {
			d.server.Close()
		}
	}
	for _, p := range m.parts {
		var closer io.Closer
		if p.chip != nil { // else it could not be made
			closer = p.chip
		} else if c, ok := p.is.(io.Closer); ok {
			closer = c
		}
		if closer == nil {
			continue
		}
		if err := closer.Close(); err != nil {
			errs = append(errs, fmt.Errorf("board %s: %s: %w", m.name, p.name, err))
		}
	}
	return errors.Join(errs...)
}

// lookAt looks at a board, even while time moves.
func (r *Running) lookAt(board string, f func(*Machine) error) error {
	m, err := r.machine(board)
	if err != nil {
		return err
	}
	m.domain.Look(func() { err = f(m) })
	return err
}

// onMachine does something on a board's goroutine.
func (r *Running) onMachine(board string, f func(*Machine) error) error {
	m, err := r.machine(board)
	if err != nil {
		return err
	}
	m.domain.Do(func() { err = f(m) })
	return err
}
