package appliance

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/guest/agent"
	guestkernel "backplane/guest/kernel"
	"backplane/periph"
	"backplane/periph/console"
	"backplane/periph/gpio"
	"backplane/periph/net"
	"backplane/periph/rng"
	"backplane/periph/vhostuser"
	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/wire"

	"go.uber.org/zap"
)

// Machine is one board of a running appliance: its controllers and chips, and
// the kernel that runs on it while it is on. Everything in it belongs to the
// board's domain.
type Machine struct {
	r      *Running
	index  int
	name   string
	member *boards.Member
	board  *boards.Board
	domain *simbus.Domain
	log    *zap.Logger

	slots   []slot
	servers []*vhostuser.Server

	gpio        map[string]*gpio.Controller
	controllers map[string]periph.Controller // of the catalog's kinds
	chips       map[string]periph.Chip
	parts       map[string]*boards.Part
	consoles    map[string]*terminal // the main one and all others, UARTs too
	nics        map[string]*net.NIC
	probes      map[boards.Line]*wire.Pin  // what the outside drives lines with
	pins        map[boards.Line]*wire.Wire // of parts, those that are on no controller's line
	kept        map[string]record.Made     // part: the file that its contents came from, as it was then

	agent        *agent.Client
	agentConsole *console.Console

	power
}

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

// newMachine makes a board's controllers and chips; links come next.
func (r *Running) newMachine(index int, member *boards.Member, d *simbus.Domain, kernel guestkernel.Image) (m *Machine, err error) {
	m = &Machine{r: r, index: index, name: member.Name, member: member, board: member.Board, domain: d,
		gpio: make(map[string]*gpio.Controller), pins: make(map[boards.Line]*wire.Wire), controllers: make(map[string]periph.Controller),
		chips: make(map[string]periph.Chip), parts: make(map[string]*boards.Part), consoles: make(map[string]*terminal),
		nics: make(map[string]*net.NIC), probes: make(map[boards.Line]*wire.Pin), kept: make(map[string]record.Made),
		log: r.opts.Log.Named("board").With(zap.String("board", member.Name))}
	m.kernel = kernel
	if m.dir, err = r.dir.Board(m.name); err != nil {
		return m, err
	}
	m.addGPIO()
	if err := m.addControllers(); err != nil {
		return m, err
	}
	if err := m.addConsoles(); err != nil {
		return m, err
	}
	m.addEthernet()
	m.add("rng", rng.New("rng", m.chance("rng")))
	m.addAgent()
	for _, p := range m.board.Parts() {
		m.parts[p.Name] = p // all of them first: one may be soldered to a later one
	}
	for _, p := range m.board.Parts() {
		if err := m.addChip(p); err != nil {
			return m, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return m, nil
}

// add gives a device a slot, in the order in which the kernel will find it.
func (m *Machine) add(name string, dev virtio.Device) {
	m.slots = append(m.slots, slot{name: name, socket: name + ".sock", dev: dev})
}

// seed is the board's own for one purpose, from the run's.
func (m *Machine) seed(purpose string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "backplane %d %s %s", m.r.opts.Seed, m.name, purpose))
}

// chance is a source of random bytes: repeatable in virtual time.
func (m *Machine) chance(purpose string) io.Reader {
	if !m.r.opts.Virtual {
		return rand.Reader
	}
	return mrand.NewChaCha8(m.seed(purpose))
}

func (m *Machine) emit(part, kind string, attrs ...simbus.Attr) {
	m.domain.Emit(simbus.Event{Board: m.name, Part: part, Kind: kind, Attrs: attrs})
}

func (m *Machine) addGPIO() {
	for i := range m.board.GPIO {
		g := &m.board.GPIO[i]
		c := gpio.New(g.Name, g.Lines)
		if m.r.opts.Virtual {
			c.Clock, c.Access = m.domain, time.Duration(m.board.Time.GPIO)
		}
		for j := range g.Lines {
			m.listen(c.Line(j), g.Name, lineName(g, j), j)
		}
		c.OnMissed = func(i, n int, total uint64) {
			m.emit(g.Name, simbus.KindMissed, simbus.Text("line", lineName(g, i)), simbus.Int("number", i), simbus.Int("missed", n), simbus.Int("total", total))
		}
		m.gpio[g.Name] = c
		m.add(g.Name, c)
	}
}

// listen tells the event stream of what a line does.
func (m *Machine) listen(w *wire.Wire, part, line string, number int) {
	w.OnChange = func(l wire.Level) {
		m.emit(part, simbus.KindGPIO, simbus.Text("line", line), simbus.Int("number", number), simbus.Int("level", level(l)))
	}
	w.OnConflict = func(high, low *wire.Pin) {
		m.fault(part, fmt.Sprintf("line %s: %s drives it high and %s low", line, high.Name, low.Name))
	}
}

// lineName is a line's name, or its number if it has none.
func lineName(g *boards.GPIO, i int) string {
	if g.Lines[i] == "" {
		return strconv.Itoa(i)
	}
	return g.Lines[i]
}

func level(l wire.Level) int {
	if l {
		return 1
	}
	return 0
}

// addControllers makes the controllers of the catalog's kinds.
func (m *Machine) addControllers() error {
	for _, c := range m.board.Controllers {
		dev, err := c.Config.Build(m.env(c.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		m.controllers[c.Name] = dev
		m.add(c.Name, dev)
		m.slots[len(m.slots)-1].table = c
	}
	return nil
}

// env is what a controller or a chip of that name gets from its board.
func (m *Machine) env(name string) *periph.Env {
	seed := m.seed("part " + name)
	return &periph.Env{
		Name:     name,
		Clock:    m.domain,
		Epoch:    m.r.epoch.Unix(),
		Emit:     func(kind string, attrs ...simbus.Attr) { m.emit(name, kind, attrs...) },
		Observed: m.domain.Observed,
		Rand:     mrand.New(mrand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:]))),
	}
}

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
		m.add(t.name, t.console)
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
	m.add(t.name, t.uart)
	return nil
}

func (m *Machine) addEthernet() {
	for i := range m.board.Ethernet {
		e := &m.board.Ethernet[i]
		nic := net.New(e.Name, e.Hardware(m.index, m.board))
		nic.SetLink(false) // until it is on a segment
		nic.ConfigChanged = func() {
			for j, s := range m.slots {
				if s.dev == virtio.Device(nic) && m.servers != nil {
					m.servers[j].ConfigChanged()
				}
			}
		}
		m.nics[e.Name] = nic
		m.add(e.Name, nic)
	}
}

func (m *Machine) addAgent() {
	m.agentConsole = console.New("agent")
	m.agentConsole.Limit = agentInput
	m.agent = agent.New(func(p []byte) error {
		if n := m.agentConsole.Waiting(); n+len(p) > agentInput { // half a frame would be the end of the agent
			return fmt.Errorf("the board's agent has not taken the %d bytes that it was sent", n)
		}
		_, err := m.agentConsole.Write(p)
		return err
	})
	m.agent.OnHello = m.hello
	m.agent.OnFailure = func(what string) {
		m.tellState(StateIncomplete, what)
	}
	m.agentConsole.OnOutput = m.agent.Receive
	m.add("agent", m.agentConsole)
}

// agentInput is how much can be under way to a board's agent, in bytes.
const agentInput = 32 << 20

// addChip makes a chip and hangs it on its controller.
func (m *Machine) addChip(p *boards.Part) error {
	var noContents error
	env := m.env(p.Name)
	env.Pin = func(name string) *wire.Pin { return m.pinWire(p, name).NewPin(p.Name + "." + name) }
	env.Changed = func(property string, v periph.Value) { m.changed(p, property, v) }
	env.Path = func(name string) (path string) {
		path, noContents = m.contents(p.Name, m.board.Beside(name))
		return path
	}
	chip, err := p.Model.New(env, &p.Options)
	if noContents != nil {
		return noContents
	}
	if err != nil {
		return err
	}
	m.chips[p.Name] = chip
	if p.Mount.Attach == nil {
		return nil
	}
	bus := m.socket(p)
	if bus == nil {
		return fmt.Errorf("%s has no socket %q", p.Provider, p.Socket)
	}
	return p.Mount.Attach(bus, &p.Options, chip)
}

func (m *Machine) changed(p *boards.Part, property string, v periph.Value) {
	if spec, ok := p.Model.Property(property); ok {
		m.emit(p.Name, simbus.KindProperty, simbus.Text("name", property), simbus.Text("value", spec.Format(v)))
	}
}

// socket is what a chip is on.
func (m *Machine) socket(p *boards.Part) any {
	if c, ok := m.controllers[p.Provider]; ok {
		return c.Socket(p.Socket)
	}
	if c, ok := m.chips[p.Provider].(periph.Provider); ok {
		return c.Socket(p.Socket)
	}
	return nil
}

// pinWire is what a chip's pin is soldered to: a line, or nothing but itself.
func (m *Machine) pinWire(p *boards.Part, name string) *wire.Wire {
	if ref, ok := p.Soldered[name]; ok {
		return m.wire(ref)
	}
	return m.wire(boards.Line{Provider: p.Name, Offset: p.Model.Pin(name)})
}

func (m *Machine) wire(ref boards.Line) *wire.Wire {
	if c, ok := m.gpio[ref.Provider]; ok {
		return c.Line(ref.Offset)
	}
	w := m.pins[ref]
	if w == nil {
		w = &wire.Wire{Name: ref.Provider + "." + m.parts[ref.Provider].Model.Pins[ref.Offset].Name}
		m.pins[ref] = w
		if line, number, ok := m.board.PartLine(ref); ok {
			m.listen(w, ref.Provider, line, number)
		}
	}
	return w
}

// solder makes the board ready to be switched on: files and sockets.
func (m *Machine) solder() error {
	if err := m.writeInitrd(); err != nil {
		return err
	}
	if err := m.writeDeviceTree(); err != nil {
		return err
	}
	for _, s := range m.slots {
		var err error
		m.domain.Do(func() {
			var server *vhostuser.Server
			server, err = vhostuser.Listen(filepath.Join(m.dir, s.socket), s.dev, vhostuser.Options{
				Poller: m.domain, InBand: m.r.opts.Virtual, Bells: m.bells(s.dev), BeforeCall: m.present, Patience: m.r.opts.StallLimit,
				Memory:  uint64(m.board.Memory),
				Peer:    m.connects,
				OnError: func(err error) { m.deviceError(s.name, err) },
			})
			if err == nil {
				m.servers = append(m.servers, server)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// connects tells whether it was the board's own kernel that made a connection to one
// of its sockets. Anybody else's is refused, and told of.
func (m *Machine) connects(fd int) bool {
	pid, err := simbus.Peer(fd)
	if err == nil && m.proc != nil && pid == m.proc.PID() {
		return true
	}
	m.fault("", fmt.Sprintf("process %d, which is not the board's kernel, was refused a connection to a device", pid))
	return false
}

// deviceError is told why a device was stopped. A guest that this program cannot
// serve is given up: it would wait for the device for ever.
func (m *Machine) deviceError(name string, err error) {
	m.fault(name, err.Error())
	if errors.Is(err, vhostuser.ErrRefused) {
		m.ended(fmt.Errorf("%s: %w", name, err))
	}
}

// bells are those of the guest that the board runs at the time, for a device
// whose driver sleeps until it is answered. The console's does not: it waits in
// a loop, in interrupts too, in which time may not go on
// (drivers/char/virtio_console.c, __send_to_port).
func (m *Machine) bells(dev virtio.Device) vhostuser.Bells {
	if !m.r.opts.Virtual || dev.ID() == virtio.IDConsole {
		return nil
	}
	return guestBells{m}
}

type guestBells struct{ m *Machine }

func (b guestBells) Answer(bell int, f func()) {
	if g := b.m.guest; g != nil {
		g.Answer(bell, f)
	}
}

func (b guestBells) Ring(bell int) {
	if g := b.m.guest; g != nil {
		g.Ring(bell)
	}
}

// present brings the guest's time up to date before something reaches it.
func (m *Machine) present() {
	if m.guest != nil {
		m.guest.Present()
	}
}

func (m *Machine) writeDeviceTree() error {
	var seed []byte
	if m.r.opts.Virtual {
		s := m.seed("kernel " + strconv.Itoa(m.boots))
		seed = s[:]
	}
	blob := deviceTree(m.board, m.name, m.slots, seed).Blob()
	if err := os.WriteFile(filepath.Join(m.dir, treeFile), blob, 0o600); err != nil {
		return err
	}
	return m.r.record.Whole(blob, "dtb", m.name+".dtb")
}
