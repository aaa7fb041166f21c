package boards

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"backplane/periph"
	"backplane/simbus"
)

// find resolves board.part.rest and calls f on the board's goroutine, by
// [simbus.Domain.Do], or by Look if f only looks.
func (r *Running) find(path string, on func(*simbus.Domain, func()), f func(m *Machine, part, rest string) error) error {
	board, place, ok := strings.Cut(path, ".")
	if !ok {
		return fmt.Errorf("%q leads nowhere: write board.part.property, or board.controller.line", path)
	}
	part, rest, _ := strings.Cut(place, ".")
	m, err := r.machine(board)
	if err == nil {
		on(m.domain, func() { err = f(m, part, rest) })
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Get reads a property ("sensor.temp0.temperature"), a GPIO line's level
// ("sensor.gpio0.alarm": 0 or 1) and how many of its edges its guest was too
// slow for ("sensor.gpio0.alarm.missed"), a link ("sensor.eth0.link": up or down), a
// UART's counters of bytes ("sensor.uart1.sent", received, overrun), or what a
// network was set to and has counted ("lan.loss", "lan:sensor.eth0.rx.frames").
func (r *Running) Get(path string) (value, unit string, err error) {
	if place, part, name, err := r.network(path); place != nil || err != nil {
		if err == nil {
			value, err = getNetwork(place, part, name)
		}
		return value, "", err
	}
	err = r.find(path, (*simbus.Domain).Look, func(m *Machine, part, rest string) error {
		value, unit, err = m.get(part, rest)
		return err
	})
	return value, unit, err
}

// get reads one of a board's properties.
func (m *Machine) get(part, name string) (value, unit string, err error) {
	if chip, ok := m.chips[part]; ok {
		spec, err := m.property(part, name)
		if err != nil {
			return "", "", err
		}
		return spec.Format(chip.Get(name)), spec.Unit, nil
	}
	if t, ok := m.consoles[part]; ok && t.uart != nil {
		n, err := t.counter(name)
		return fmt.Sprint(n), "", err
	}
	if nic, ok := m.nics[part]; ok && name == "link" {
		return linkState(nic.Up()), "", nil
	}
	line, missed := strings.CutSuffix(name, ".missed")
	ref, err := m.board.line(part+"."+line, -1)
	if err != nil {
		return "", "", m.noPart(part, err)
	}
	if missed {
		return fmt.Sprint(m.gpio[ref.gpio].Missed(ref.line)), "", nil
	}
	return m.wire(ref).Level().String(), "", nil
}

// Set sets a property, or does an action ("sensor.button0.press"). A GPIO line
// is driven from outside with 0 and 1, and let go with "float". Networks change
// at once ("lan.latency", "lan:sensor.eth0.tx.loss").
func (r *Running) Set(path, value string) error {
	return r.input(Input{Do: DoSet, Path: path, Value: value}, func() error { return r.set(path, value) })
}

func (r *Running) set(path, value string) error {
	if place, part, name, err := r.network(path); place != nil || err != nil {
		if err == nil {
			err = r.setNetwork(place, part, name, value)
		}
		return err
	}
	if cable, ok := r.cable(strings.CutSuffix(path, ".link")); ok {
		return r.setLink(cable, value)
	}
	return r.find(path, (*simbus.Domain).Do, func(m *Machine, part, rest string) error {
		if chip, ok := m.chips[part]; ok {
			return m.set(chip, part, rest, value)
		}
		if nic, ok := m.nics[part]; ok && rest == "link" {
			if value != "up" && value != "down" {
				return fmt.Errorf("%q is no state of a link: say up or down", value)
			}
			nic.SetLink(value == "up")
			return nil
		}
		ref, err := m.board.line(part+"."+rest, -1)
		if err != nil {
			return m.noPart(part, err)
		}
		return m.probe(ref, value)
	})
}

// noPart says which parts there are, unless part is a GPIO controller.
func (m *Machine) noPart(part string, err error) error {
	var names []string
	for i := range m.board.GPIO {
		if m.board.GPIO[i].Name == part {
			return err
		}
		names = append(names, m.board.GPIO[i].Name)
	}
	return unknown("part", part, append(append(names, slices.Sorted(maps.Keys(m.chips))...), slices.Sorted(maps.Keys(m.nics))...))
}

func (m *Machine) property(part, name string) (*periph.Spec, error) {
	return propertyOf(m.parts[part], name)
}

func (m *Machine) set(chip periph.Chip, part, name, text string) error {
	spec, err := m.property(part, name)
	if err != nil {
		return err
	}
	if spec.ReadOnly {
		return errors.New("can only be read")
	}
	v, err := spec.Parse(text)
	if err != nil {
		return err
	}
	if err := chip.Set(name, v); err != nil {
		return err
	}
	if spec.Kind != periph.Action { // what it made of it: registers have steps
		v = chip.Get(name)
	}
	m.changed(m.parts[part], name, v)
	return nil
}

// probeDrive is what a value that a line is set to from outside does to it.
func probeDrive(value string) (simbus.Drive, error) {
	drive, ok := map[string]simbus.Drive{"0": simbus.DriveLow, "low": simbus.DriveLow, "1": simbus.DriveHigh, "high": simbus.DriveHigh,
		"float": simbus.Float, "up": simbus.PullUp, "down": simbus.PullDown}[value]
	if !ok {
		return drive, fmt.Errorf("%q is nothing to do to a line: say 0, 1, up or down (a pull), or float", value)
	}
	return drive, nil
}

// probe drives a line from outside.
func (m *Machine) probe(ref lineRef, value string) error {
	drive, err := probeDrive(value)
	if err != nil {
		return err
	}
	p := m.probes[ref]
	if p == nil {
		p = m.wire(ref).NewPin("outside")
		m.probes[ref] = p
	}
	p.Drive(drive)
	return nil
}

// ConsolePlace is the board and the console that "board.uart1", "board:uart1" and
// "board" name: that without a name is its main console.
func ConsolePlace(path string) (board, console string) {
	board, console, ok := strings.Cut(strings.Replace(path, ":", ".", 1), ".")
	if !ok {
		console = MainConsole
	}
	return board, console
}

// terminal finds "board.uart1", "board:uart1", or the main console of "board".
func (r *Running) terminal(path string) (*Machine, *terminal, error) {
	board, name := ConsolePlace(path)
	m, err := r.machine(board)
	if err != nil {
		return nil, nil, err
	}
	t := m.consoles[name]
	if t == nil {
		return nil, nil, fmt.Errorf("board %s: %w", board, unknown("console", name, slices.Sorted(maps.Keys(m.consoles))))
	}
	return m, t, nil
}

// Send types bytes on a console, or sends them to a UART, at its rate.
func (r *Running) Send(path string, p []byte) error {
	m, t, err := r.terminal(path)
	if err != nil {
		return err
	}
	err = r.input(Input{Do: DoSend, Path: path, Data: p}, func() (err error) {
		m.domain.Do(func() { err = t.input(p) })
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// counter is one of a UART's counters of bytes.
func (t *terminal) counter(name string) (uint64, error) {
	counters := map[string]uint64{"sent": t.uart.Sent, "received": t.uart.Received, "overrun": uint64(t.uart.Dropped())}
	n, ok := counters[name]
	if !ok {
		return 0, unknown("counter of a UART", name, slices.Sorted(maps.Keys(counters)))
	}
	return n, nil
}

func (t *terminal) input(p []byte) error {
	if t.uart != nil {
		return t.uart.Feed(p)
	}
	_, err := t.console.Write(p)
	return err
}

// Attach calls out with what the guest sends on a console or UART, until detach
// is called; in gives it input.
func (r *Running) Attach(path string, out func([]byte)) (in func([]byte), detach func(), err error) {
	m, t, err := r.terminal(path)
	if err != nil {
		return nil, nil, err
	}
	c := &client{out}
	m.domain.Do(func() { t.clients = append(t.clients, c) })
	return func(p []byte) { _ = r.Send(path, p) }, // who types too much loses it, as on a terminal
		func() {
			m.domain.Do(func() {
				for i := range t.clients {
					if t.clients[i] == c {
						t.clients = append(t.clients[:i:i], t.clients[i+1:]...)
						return
					}
				}
			})
		}, nil
}

// Boards names the boards in order.
func (r *Running) Boards() []string {
	var names []string
	for _, m := range r.machines {
		names = append(names, m.name)
	}
	return names
}

// State is a board's state: one of the State constants.
func (r *Running) State(board string) (state string, err error) {
	err = r.lookAt(board, func(m *Machine) error {
		if state = m.state; state == "" {
			state = StateOff
		}
		return nil
	})
	return state, err
}

// KernelPID is the process of a board's kernel on the host.
func (r *Running) KernelPID(board string) (pid int, err error) {
	err = r.lookAt(board, func(m *Machine) error {
		if m.proc == nil {
			return fmt.Errorf("board %s is off", board)
		}
		pid = m.proc.PID()
		return nil
	})
	return pid, err
}
