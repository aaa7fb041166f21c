package appliance

import (
	"maps"
	"slices"

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

// client is one who is attached to a terminal.
type client struct{ out func([]byte) }

// addTerminal lets what a terminal says be read, cut into lines and recorded.
func (m *Machine) addTerminal(name string, dev periph.Terminal) (err error) {
	t := &terminal{Terminal: dev, m: m, name: name}
	file := m.name + ".log"
	if name != boards.MainConsole {
		file = m.name + "." + name + ".log"
	}
	if t.log, err = m.r.record.File("console", file); err != nil {
		return err
	}
	t.lines.Line = t.line
	dev.Output(t.output)
	m.consoles[name] = t
	return nil
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

// sortedTerminals are the board's terminals by name.
func (m *Machine) sortedTerminals() []*terminal {
	var list []*terminal
	for _, name := range slices.Sorted(maps.Keys(m.consoles)) {
		list = append(list, m.consoles[name])
	}
	return list
}
