package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/simbus"
	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
	"backplane/simbus/serial/outlet/opening"
)

// hostLink is a link that leads from a port to programs on the host.
type hostLink interface {
	periph.Link
	End() *outlet.End
	// Way is where programs find it, and what its end is set to at first.
	Way() (outlet.Way, outlet.Settings)
}

// openLine is a port that is open to programs on the host.
type openLine struct {
	path string // "sensor.uart1"
	opening.Opening
	served bool
}

// checkOutlets refuses links to the host where virtual time would run past that.
func (r *Running) checkOutlets(links []*boards.Link) error {
	if r.appliance.Paced || r.opts.Paced || r.opts.Detached || !r.opts.Virtual {
		return nil
	}
	var problems tomlfile.Problems
	for _, l := range links {
		if l.Outside() != "" {
			problems = append(problems, l.Problem("the port is given to a program on the host, which virtual time would outrun: write paced = true, above all tables, to hold virtual time to the host's clock, or run in real time (--clock real)"))
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// open opens a link to the host, if it is one. Programs wait until serveLines.
func (r *Running) open(l *boards.Link) error {
	to, is := r.link(l).(hostLink)
	if !is {
		return nil
	}
	path := l.Ends[0].Name
	r.end(path, to.End)
	if r.opts.Detached {
		return nil
	}
	way, set := to.Way()
	o, err := r.openWay(way, set)
	if err != nil {
		return fmt.Errorf("give %s to the host: %w", path, err)
	}
	r.plugging.Lock()
	defer r.plugging.Unlock()
	r.openLines = append(r.openLines, openLine{path: path, Opening: o})
	return nil
}

// openWay opens a way, whose name becomes a file of the appliance's runtime folder: it goes
// however this program ends.
func (r *Running) openWay(way outlet.Way, set outlet.Settings) (opening.Opening, error) {
	if folder := r.runtime(); way != way.In(folder) {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		way = way.In(folder)
	}
	o, err := opening.Open(way, set)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{way.Pty, strings.TrimPrefix(way.Listen, outlet.UnixPrefix)} {
		if filepath.IsAbs(path) {
			r.dir.Also(path)
		}
	}
	return o, nil
}

// runtime is the appliance's folder for names that serial ports have on the host.
func (r *Running) runtime() string { return filepath.Join(r.opts.Runtime, r.Name) }

// serveLines lets programs in.
func (r *Running) serveLines() error {
	r.plugging.Lock()
	defer r.plugging.Unlock()
	for i := range r.openLines {
		l := &r.openLines[i]
		if l.served {
			continue
		}
		l.served = true
		if err := l.Serve(func(p outlet.Program) (outlet.Line, error) {
			line, _, err := r.Outlet(l.path, p)
			return line, err
		}); err != nil {
			return err
		}
		r.note(fmt.Sprintf("serial port %s: %s", l.path, l.Name()))
	}
	return nil
}

// closeLine closes the way to a port whose link to the host goes. No program has it open.
func (r *Running) closeLine(path string) {
	r.plugging.Lock()
	i := slices.IndexFunc(r.openLines, func(l openLine) bool { return l.path == path })
	var line openLine
	if i >= 0 {
		line = r.openLines[i]
		r.openLines = slices.Delete(slices.Clone(r.openLines), i, i+1)
	}
	delete(r.ends, path)
	r.plugging.Unlock()
	if i >= 0 { // it waits for those who want to open it, and they for who is here
		r.closing.Go(func() {
			if err := line.Close(); err != nil {
				r.note(fmt.Sprintf("serial port %s: %v", path, err))
			}
		})
	}
}

// freeOutlets takes off ports the cables of programs that have them open no more. Where one has,
// the port is taken.
func (r *Running) freeOutlets(j *boards.Joining) error {
	var ends []boards.End
	for _, l := range j.New {
		ends = append(ends, l.Ends...)
	}
	for _, g := range j.Grown {
		ends = append(ends, g.Ends...)
	}
	for _, at := range j.Gone {
		if at.Link.Outside() != "" && at.Port == "" {
			open := false
			r.machines()[at.Link.Ends[0].Member].domain.Do(func() { open = r.link(at.Link).(hostLink).End().IsOpen() })
			if open {
				return inUse(at.Link.Ends[0].Name)
			}
		}
	}
	for i := range ends {
		for path, end := range r.outletsAt(&ends[i]) {
			m, err := r.machine(strings.SplitN(path, ".", 2)[0])
			if err != nil {
				return err
			}
			open := false
			m.domain.Do(func() {
				if open = end.IsOpen(); !open {
					end.Link().LeaveHere()
				}
			})
			if open {
				return inUse(path)
			}
			r.plugging.Lock()
			delete(r.ends, path)
			r.plugging.Unlock()
		}
	}
	return nil
}

func inUse(path string) error {
	return fmt.Errorf("%s is open to a program on the host, which is to close it first", path)
}

// outletsAt are the cables that programs have plugged into ports of an end, which is on no link.
func (r *Running) outletsAt(e *boards.End) map[string]*outlet.End {
	list := make(map[string]*outlet.End)
	r.plugging.Lock()
	defer r.plugging.Unlock()
	for _, m := range r.machines() {
		path := m.name + "." + e.Port
		if end := r.ends[path]; end != nil && e.On(m.index) && r.linkAt(m, e.Port) == nil {
			list[path] = end
		}
	}
	return list
}

// closeLines ends what programs have open, which is an input as any other.
func (r *Running) closeLines() error {
	r.closing.Wait()
	var errs []error
	for _, l := range r.openLines {
		if err := l.Close(); err != nil {
			errs = append(errs, fmt.Errorf("serial port %s: %w", l.path, err))
		}
	}
	if len(r.openLines) > 0 {
		_ = os.Remove(r.runtime()) // if it is there, and empty
	}
	r.openLines = nil
	return errors.Join(errs...)
}

// Outlet is the other end of a port's line for a program on the host: of one that is on no
// link, or on a link to the host. The program has it from when it opens it until it closes it.
// At first it may set it like the port.
func (r *Running) Outlet(path string, p outlet.Program) (outlet.Line, outlet.Settings, error) {
	l, err := r.outletLine(path)
	if err != nil {
		return nil, outlet.Settings{}, err
	}
	l.program = p
	var f serial.Format
	l.m.domain.Look(func() { f = l.port.Format() })
	f.Rate = serial.Baud(max(1, f.Rate.Baud())) // a whole number, as programs have it
	return l, outlet.Settings{Format: f}, nil
}

// outletLine finds a port that can be given to a program.
func (r *Running) outletLine(path string) (*outletLine, error) {
	board, name := boards.ConsolePlace(path)
	m, err := r.machine(board)
	if err != nil {
		return nil, err
	}
	if path == board {
		return nil, m.whichPort()
	}
	port, ok := m.socket(name, "").(*serial.Port)
	if !ok {
		return nil, fmt.Errorf("board %s: %w", board, boards.Unknown("serial port", name, m.serialPorts()))
	}
	l := &outletLine{r: r, m: m, path: board + "." + name, name: name, port: port}
	return l, l.free()
}

// free says it if the port is on a link to another board.
func (l *outletLine) free() error {
	if on := l.r.linkAt(l.m, l.name); on != nil && on.Outside() == "" {
		return fmt.Errorf("%s is on the %s %s", l.path, on.Kind.Name, on.Name)
	}
	return nil
}

// whichPort says which serial ports the board has, to who has named none.
func (m *Machine) whichPort() error {
	var names []string
	m.domain.Look(func() { names = m.serialPorts() })
	if len(names) == 0 {
		return fmt.Errorf("board %s has no serial port", m.name)
	}
	for i := range names {
		names[i] = m.name + "." + names[i]
	}
	return fmt.Errorf("name one of the board's serial ports: %s", strings.Join(names, ", "))
}

// serialPorts are the names of the board's serial ports.
func (m *Machine) serialPorts() (names []string) {
	for _, p := range m.parts {
		if _, is := m.socket(p.name, "").(*serial.Port); is {
			names = append(names, p.name)
		}
	}
	return names
}

// linkAt is the link that a board's port is on, nil for none.
func (r *Running) linkAt(m *Machine, port string) *boards.Link {
	links := r.appliance.Joined()
	i := slices.IndexFunc(links, func(l *boards.Link) bool {
		return slices.ContainsFunc(l.Ends, func(e boards.End) bool { return e.On(m.index) && e.Port == port })
	})
	if i < 0 {
		return nil
	}
	return links[i]
}

// outletLine is the host's end of a port's line, for one program.
type outletLine struct {
	r       *Running
	m       *Machine
	path    string
	name    string // of the port
	port    *serial.Port
	program outlet.Program
}

// Do does something, and records it.
func (l *outletLine) Do(a outlet.Act) error {
	return l.r.input(record.Input{Do: record.DoSerial, Path: l.path, Value: a.Text(), Data: a.Data}, func() (err error) {
		l.m.domain.Do(func() { err = l.do(a) })
		return err
	})
}

// do is called in the board's domain. The first program plugs a cable into a port that has none.
func (l *outletLine) do(a outlet.Act) error {
	if err := l.free(); err != nil { // since it was plugged
		return err
	}
	end := l.r.end(l.path, func() *outlet.End { return outlet.Plug(l.port, l.m.domain, l.port.Format(), serial.Cable{}) })
	if a.Do == outlet.Open && !end.IsOpen() {
		end.Program = l.program
	}
	err := end.Do(a)
	if err == nil && a.Do != outlet.Send {
		l.m.emit(l.name, outlet.KindHost, simbus.Text("act", a.Text()))
	}
	return err
}

// end is the host's end of a port's line, made if need be.
func (r *Running) end(path string, make func() *outlet.End) *outlet.End {
	r.plugging.Lock()
	defer r.plugging.Unlock()
	if r.ends[path] == nil {
		r.ends[path] = make()
	}
	return r.ends[path]
}

// actAgain does what a program did, in a replay.
func (r *Running) actAgain(in record.Input) error {
	a, err := outlet.ParseAct(in.Value, in.Data)
	if err != nil {
		return err
	}
	l, err := r.outletLine(in.Path)
	if err != nil {
		return err
	}
	return l.Do(a)
}
