package appliance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"slices"
	"strconv"
	"time"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/guest"
	"backplane/guest/agent"
	guestkernel "backplane/guest/kernel"
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/wire"

	"go.uber.org/zap"
)

// Machine is one board of a running appliance: its controllers and chips, and
// the kernel that runs on it while it is on. Everything in it belongs to the
// board's domain.
type Machine struct {
	r       *Running
	index   int
	name    string
	member  *boards.Member
	board   *boards.Board
	backing guest.Backing // of its memory
	domain  *simbus.Domain
	log     *zap.Logger

	parts  []*part                    // controllers, in the order in which the kernel finds them, then chips
	named  map[string]*part           // the same
	names  map[string]int             // how many have had the name
	docks  []*dock                    // of controllers, then spare ones
	untold []*part                    // controllers that were plugged, of which init knows nothing yet
	packed int64                      // how long the initial file system is without what was plugged
	built  []*part                    // those of parts that the board's file has, of which its kernel is told
	drawn  *boards.Board              // as its file has it
	typed  map[string]*terminal       // by the names that terminals have had
	probes map[boards.Line]*wire.Pin  // what the outside drives lines with
	pins   map[boards.Line]*wire.Wire // of parts, those that are on no controller's line
	kept   map[string]record.Made     // part: the file that its contents came from, as it was then

	agent   *agent.Client
	balloon periph.Reclaimer // nil if the catalog has none

	away bool // it is not in its slot

	power
}

// newMachine makes a board's controllers and chips; links come next.
func (r *Running) newMachine(ctx context.Context, index int, member *boards.Member, drawn *boards.Board, d *simbus.Domain, kernel guestkernel.Image) (m *Machine, err error) {
	m = &Machine{r: r, index: index, name: member.Name, member: member, away: member.Unplugged, board: member.Board, drawn: drawn, backing: r.backing[index], domain: d,
		named: make(map[string]*part), names: make(map[string]int), typed: make(map[string]*terminal), pins: make(map[boards.Line]*wire.Wire),
		probes: make(map[boards.Line]*wire.Pin), kept: make(map[string]record.Made),
		log: r.opts.Log.Named("board").With(zap.String("board", member.Name))}
	m.kernel = kernel
	if m.dir, err = r.dir.Board(m.name); err != nil {
		return m, err
	}
	if err := m.addControllers(ctx); err != nil {
		return m, err
	}
	if err := m.addAgent(); err != nil {
		return m, err
	}
	err = m.addChips()
	m.built = slices.Clone(m.parts)
	return m, err
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

// addControllers makes the controllers of the catalog's kinds.
func (m *Machine) addControllers(ctx context.Context) error {
	for _, c := range m.board.Controllers() {
		if _, err := m.addController(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	m.addSpares()
	return nil
}

// addController makes one, which is part of the board even if there is an error.
func (m *Machine) addController(ctx context.Context, c *boards.Controller) (p *part, err error) {
	p = &part{name: c.Name, env: m.env(c.Name, m.instance(c.Name)), table: c, own: m.ownDock(c)}
	p.env.ConfigChanged = func() { // tells the guest of the controller's configuration space
		if p.dock != nil && p.dock.server != nil {
			p.dock.server.ConfigChanged()
		}
	}
	p.env.Index = c.Index
	p.env.Device = c.TTY
	p.env.Pin = func(key string) *wire.Pin { return m.wire(c.Soldered[key]).NewPin(c.Name + "." + key) }
	dev, err := c.Config.Build(p.env)
	if err != nil {
		return p, err
	}
	p.is, p.dev = dev, dev
	m.add(p)
	if err := m.recordStorage(ctx, p); err != nil {
		return p, err
	}
	if balloon, ok := dev.(periph.Reclaimer); ok {
		m.balloon = balloon
		balloon.OnReclaimed(m.memoryIs)
	}
	if folder, ok := dev.(periph.Folder); ok {
		if err := m.show(p, folder); err != nil {
			return p, err
		}
	}
	if t, ok := dev.(periph.Terminal); ok && c.Kind.Terminal {
		if p.terminal, err = m.newTerminal(c.Name, t); err != nil {
			return p, err
		}
	}
	p.seat, err = periph.NewSeat(controllerPower{p}, nil, nil, c.Unplugged, func() (func(), error) { return m.attach(p) })
	return p, err
}

// instance is a name for a part, with a number if another one had its name before: it has
// chance and contents of its own.
func (m *Machine) instance(name string) string {
	if m.names[name]++; m.names[name] > 1 {
		name += "." + strconv.Itoa(m.names[name])
	}
	return name
}

// env is what a controller or a chip of that name gets from its board. Its chance is that of the
// instance.
func (m *Machine) env(name, instance string) *periph.Env {
	seed := m.seed("part " + instance)
	env := &periph.Env{
		Name:     name,
		Board:    m.index,
		Entropy:  m.chance(instance),
		Clock:    m.domain,
		Epoch:    m.r.epoch,
		Emit:     func(kind string, attrs ...simbus.Attr) { m.emit(name, kind, attrs...) },
		Observed: m.domain.Observed,
		Fault:    func(text string) { m.fault(name, text) },
		Rand:     mrand.New(mrand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:]))),
	}
	if m.r.opts.Virtual {
		env.Access = time.Duration(m.board.Time.GPIO)
	} else {
		env.Post = m.domain.Post
	}
	return env
}

// addAgent finds the console by which the board's init is spoken to.
func (m *Machine) addAgent() error {
	var console periph.Terminal
	if p := m.named[boards.AgentConsole]; p != nil {
		console, _ = p.is.(periph.Terminal)
	}
	if console == nil || m.terminal(boards.MainConsole) == nil {
		return errors.New("the catalog lacks the main console, or the agent's")
	}
	limit := console.Room()
	m.agent = agent.New(func(p []byte) error {
		if room := console.Room(); len(p) > room { // half a frame would be the end of the agent
			return fmt.Errorf("the board's agent has not read the %d bytes sent to it", limit-room)
		}
		return console.Input(p)
	})
	m.agent.OnHello = m.hello
	m.agent.OnFailure = func(what string) {
		m.tellState(StateIncomplete, what)
	}
	m.agent.OnCPUs = m.cpusAre
	console.Output(m.agent.Receive)
	return nil
}
