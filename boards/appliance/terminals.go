package appliance

import (
	"slices"
	"strings"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/periph"
	"backplane/simbus"
)

// terminal is a console or a UART with what listens to it.
type terminal struct {
	periph.Terminal
	m       *Machine
	name    string
	lines   lineCutter
	ended   int         // how many lines have ended
	since   simbus.Time // when it last said something
	log     *record.File
	clients []*client
}

// plugged tells whether the terminal's device is on its board.
func (t *terminal) plugged() bool {
	p := t.m.named[t.name]
	return p == nil || p.seat.Sits()
}

// client is one who is attached to a terminal.
type client struct{ out func([]byte) }

// newTerminal lets what a terminal says be read, cut into lines and recorded.
func (m *Machine) newTerminal(name string, dev periph.Terminal) (t *terminal, err error) {
	if t = m.typed[name]; t != nil { // of another one that had the name: who is attached stays so
		t.Terminal = dev
		dev.Output(t.output)
		return t, nil
	}
	t = &terminal{Terminal: dev, m: m, name: name}
	file := m.name + ".log"
	if name != boards.MainConsole {
		file = m.name + "." + name + ".log"
	}
	if t.log, err = m.r.record.File("console", file); err != nil {
		return nil, err
	}
	t.lines.Line = t.line
	dev.Output(t.output)
	m.typed[name] = t
	return t, nil
}

// output is called with what the guest says.
func (t *terminal) output(p []byte) {
	t.m.spoke = t.m.spoke || t.name == boards.MainConsole
	t.since = t.m.domain.Now()
	_, _ = t.log.Write(p)
	_, _ = t.lines.Write(p)
	for _, c := range t.clients {
		c.out(p)
	}
}

// line is called with each whole line of that.
func (t *terminal) line(line string) {
	t.ended++
	t.m.emit(t.name, KindConsole, simbus.Text("line", line))
	if t.name == boards.MainConsole {
		t.m.consoleLine(line)
	}
}

// terminal is that of a console or UART, nil if there is none of that name.
func (m *Machine) terminal(name string) *terminal {
	if p := m.named[name]; p != nil {
		return p.terminal
	}
	return nil
}

// terminals are the board's terminals by name.
func (m *Machine) terminals() (list []*terminal) {
	for _, p := range m.parts {
		if p.terminal != nil {
			list = append(list, p.terminal)
		}
	}
	slices.SortFunc(list, func(x, y *terminal) int { return strings.Compare(x.name, y.name) })
	return list
}
