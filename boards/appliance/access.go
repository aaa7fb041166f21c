package appliance

import (
	"fmt"

	"backplane/boards"
	"backplane/periph"
)

// Get reads a property ("sensor.temp0.temperature"), a GPIO line's level
// ("sensor.gpio0.alarm": 0 or 1) and how many of its edges its guest was too
// slow for ("sensor.gpio0.alarm.missed"), a link ("sensor.eth0.link": up or down), a
// UART's counters of bytes ("sensor.uart1.sent", received, overrun), how many CPUs of a
// board are online ("sensor.cpus"), how much memory it has ("sensor.memory"), or what a network was set to and has counted ("lan.loss", "lan:sensor.eth0.rx.frames").
func (r *Running) Get(path string) (value, unit string, err error) {
	t, err := r.appliance.Resolve(path)
	switch {
	case err != nil:
	case t.Link != nil:
		return r.getPlace(t), t.Spec.Unit, nil
	default:
		err = r.lookAt(t.Member.Name, func(m *Machine) (err error) {
			value, unit, err = m.get(t.Part, t.Name)
			return err
		})
	}
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", path, err)
	}
	return value, unit, nil
}

// Get reads one of a board's properties.
func (m *Machine) get(part, name string) (value, unit string, err error) {
	s, err := m.member.Resolve(part, name)
	switch {
	case err != nil:
		return "", "", err
	case part == "":
		return m.getOwn(s.Spec), s.Spec.Unit, nil
	case s.Spec != nil:
		return s.Spec.Format(m.named[part].is.(periph.Properties).Get(name)), s.Spec.Unit, nil
	case s.Missed:
		return fmt.Sprint(m.named[s.Line.Provider].is.(periph.Lines).Missed(s.Line.Offset)), "", nil
	}
	return m.wire(s.Line).Level().String(), "", nil
}

func (r *Running) set(path, value string) error {
	t, err := r.appliance.Resolve(path)
	switch {
	case err != nil:
	case t.Link != nil:
		return r.setPlace(t, value)
	default:
		err = r.setOnBoard(t, value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (r *Running) setOnBoard(t *boards.Target, value string) error {
	s, err := t.Member.Resolve(t.Part, t.Name)
	if err != nil {
		return err
	}
	if s.Spec != nil && s.Spec.Name == periph.LinkState {
		if cable, ok := r.appliance.Cable(t.Member, t.Part); ok {
			return r.setLink(cable, value)
		}
	}
	return r.onMachine(t.Member.Name, func(m *Machine) error {
		if s, err = t.Member.Resolve(t.Part, t.Name); err != nil { // another part may have come meanwhile
			return err
		}
		switch {
		case t.Part == "":
			return m.setOwn(s.Spec, value)
		case s.Spec != nil:
			return m.set(t.Part, s.Spec, value)
		case s.Missed:
			return errReadOnly
		}
		return m.probe(s.Line, value)
	})
}

// set sets a property of a part.
func (m *Machine) set(part string, spec *periph.Spec, text string) error {
	if spec.ReadOnly {
		return errReadOnly
	}
	v, err := spec.Parse(text)
	if err != nil {
		return err
	}
	p := m.named[part].is.(periph.Properties)
	if err := p.Set(spec.Name, v); err != nil {
		return err
	}
	if spec.Kind != periph.Action { // what it made of it: registers have steps
		v = p.Get(spec.Name)
	}
	m.changed(part, spec, v)
	return nil
}

// probe drives a line from outside.
func (m *Machine) probe(ref boards.Line, value string) error {
	drive, err := boards.ProbeDrive(value)
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

// terminal finds "board.uart1", "board:uart1", or the main console of "board".
func (r *Running) terminal(path string) (*Machine, *terminal, error) {
	board, name := boards.ConsolePlace(path)
	m, err := r.machine(board)
	if err != nil {
		return nil, nil, err
	}
	var t *terminal
	m.domain.Look(func() { t = m.terminal(name) })
	if t == nil {
		return nil, nil, fmt.Errorf("board %s: %w", board, boards.Unknown("console", name, m.board.Terminals()))
	}
	return m, t, nil
}

// Attach calls out with what the guest sends on a console or UART, until detach
// is called; in gives it input if there is room for all of that, and tells.
func (r *Running) Attach(path string, out func([]byte)) (in func([]byte) (taken bool, err error), detach func(), err error) {
	m, t, err := r.terminal(path)
	if err != nil {
		return nil, nil, err
	}
	c := &client{out}
	m.domain.Do(func() {
		if !t.plugged() {
			err = fmt.Errorf("%s is unplugged: plug it first", path)
			return
		}
		t.clients = append(t.clients, c)
	})
	if err != nil {
		return nil, nil, err
	}
	in = func(p []byte) (bool, error) {
		room := 0
		m.domain.Look(func() { room = t.Room() })
		if len(p) > room {
			return false, nil
		}
		return true, r.Send(path, p)
	}
	return in,
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
	for _, m := range r.machines() {
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
			return m.notOn()
		}
		pid = m.proc.PID()
		return nil
	})
	return pid, err
}
