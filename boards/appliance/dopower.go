package appliance

import "fmt"

// PowerOn switches a board on.
var PowerOn = &ActionKind{
	Name:    "power_on",
	Title:   "Switch a board on",
	Place:   boardPlace,
	Command: "power on",
	Words:   func(x *Action) string { return "power " + x.Place + " on" },
	do:      func(r *Running, x *Action) error { return r.onMachine(x.Place, (*Machine).powerOn) },
}

// PowerOff asks a board to shut down in order. A guest event tells when it has.
var PowerOff = &ActionKind{
	Name:    "power_off",
	Title:   "Ask a board to shut down in order ('backplane wait off BOARD' waits until it has)",
	Place:   boardPlace,
	Command: "power off",
	Words:   func(x *Action) string { return "power " + x.Place + " off" },
	do:      func(r *Running, x *Action) error { return r.onMachine(x.Place, (*Machine).powerOff) },
}

// PullPlug ends a board's power without warning. Its value is why, or empty.
var PullPlug = &ActionKind{
	Name:    "pull_plug",
	Title:   "Pull a board's plug",
	Place:   boardPlace,
	Command: "power cut",
	Words:   func(x *Action) string { return "pull the plug of " + x.Place },
	do: func(r *Running, x *Action) error {
		return r.onMachine(x.Place, func(m *Machine) error { return m.pullPlug(x.Value) })
	},
}

func (m *Machine) powerOff() error {
	if m.loader != nil {
		return fmt.Errorf("board %s: power off: its bootloader is running and cannot be asked to shut down: pull its plug", m.name)
	}
	if m.proc == nil {
		return fmt.Errorf("board %s is already off", m.name)
	}
	if err := m.agent.PowerOff(); err != nil {
		return fmt.Errorf("board %s: power off: %w", m.name, err)
	}
	return nil
}

func (m *Machine) pullPlug(why string) error {
	m.whyPulled = "plug pulled"
	if why != "" {
		m.whyPulled += ": " + why
	}
	switch {
	case m.proc != nil:
		m.kill(unplugged)
	case m.powered && m.state != StateOff: // its kernel has panicked, or has not started
		m.loader.Stop()
		m.loader = nil
		m.setState(StateOff, m.whyPulled)
		m.powerParts(false)
	default:
		return fmt.Errorf("board %s is already off", m.name)
	}
	return nil
}
