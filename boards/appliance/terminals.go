package appliance

import (
	"backplane/boards"
	"backplane/boards/record"
	"backplane/periph/console"
	"backplane/simbus"
)

// terminal is a console or a UART with what listens to it.
type terminal struct {
	name    string
	console *console.Console
	uart    *console.UART // nil unless it is one
	lines   console.Lines
	ended   int         // how many lines have ended
	since   simbus.Time // when it last said something
	log     *record.File
	clients []*client
}

// client is one who is attached to a terminal.
type client struct{ out func([]byte) }

func (m *Machine) addConsoles() error {
	if err := m.addTerminal(&terminal{name: boards.MainConsole, console: console.New(boards.MainConsole)}); err != nil {
		return err
	}
	for _, s := range m.board.Serial {
		u := console.NewUART(s.Name, m.domain, s.Baud)
		u.Power(false)
		if err := m.addTerminal(&terminal{name: s.Name, console: u.Console, uart: u}); err != nil {
			return err
		}
	}
	for _, c := range m.board.Console {
		if err := m.addTerminal(&terminal{name: c.Name, console: console.New(c.Name)}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) addTerminal(t *terminal) (err error) {
	file := m.name + ".log"
	if t.name != boards.MainConsole {
		file = m.name + "." + t.name + ".log"
	}
	if t.log, err = m.r.record.File("console", file); err != nil {
		return err
	}
	t.lines.Line = func(line string) {
		t.ended++
		m.emit(t.name, simbus.KindConsole, simbus.Text("line", line))
		if t.name == boards.MainConsole {
			m.consoleLine(line)
		}
	}
	output := func(p []byte) {
		m.spoke = m.spoke || t.name == boards.MainConsole
		t.since = m.domain.Now()
		_, _ = t.log.Write(p)
		_, _ = t.lines.Write(p)
		for _, c := range t.clients {
			c.out(p)
		}
	}
	m.consoles[t.name] = t
	if t.uart == nil {
		t.console.OnOutput = output
		m.addDevice(t.name, t.console)
		return nil
	}
	t.uart.OnSent = func(p []byte) {
		m.emit(t.name, simbus.KindUARTTx, simbus.Text("data", string(p)))
		output(p)
	}
	t.uart.OnReceive = func(p []byte) { m.emit(t.name, simbus.KindUARTRx, simbus.Text("data", string(p))) }
	t.uart.OnOverrun = func(lost int) {
		m.emit(t.name, simbus.KindUARTOverrun, simbus.Int("lost", lost), simbus.Int("total", t.uart.Dropped()))
	}
	m.addDevice(t.name, t.uart)
	return nil
}
