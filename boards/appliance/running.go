package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/guest"
	guestkernel "backplane/guest/kernel"
	"backplane/guest/placement"
	"backplane/simbus"
	"backplane/simbus/serial/outlet"

	"go.uber.org/zap"
)

// Options say how to run an appliance.
type Options struct {
	Virtual bool
	Seed    uint64
	// Start is the wall-clock time at which the appliance is switched on in
	// virtual time. In real time boards have the host's.
	Start time.Time
	// Out, if not empty, is the folder for what is recorded.
	Out string
	// RecordLimit bounds what comes into that as the run goes, in bytes; 0 does not.
	// Where it is reached the record ends, and says so; the run goes on.
	RecordLimit int64
	// Copies lets chips that keep their contents in a file work on a copy of it,
	// so that each run finds what the first one found.
	Copies bool
	// Contents, if not empty, is a record's folder of such files' contents, to
	// begin with instead of what the files hold now. It goes with Copies.
	Contents string
	// Init is the board's init: a static executable (firmware/init).
	Init string
	// Kernel finds, or builds, the kernel for virtual time or a single CPU, or
	// that for neither, made as the board wants it.
	Kernel func(ctx context.Context, virtual bool, want guestkernel.Recipe) (guestkernel.Image, error)
	// Emulators finds, or builds, the folder with what runs programs of other architectures. It
	// is called if a board has such.
	Emulators func(ctx context.Context) (dir string, err error)
	// Boot starts a board's kernel; it is [guest.Start] if nil.
	Boot func(guest.Config) (guest.Guest, error)
	// StallLimit is how long, in host time, a guest may compute in virtual time
	// without sleeping; if it is 0 a minute, and a second for each GiB that the largest board has.
	StallLimit time.Duration
	// Paced ties virtual time to the host's clock, as an appliance may also ask
	// itself. [Running.Advance] tells how.
	Paced bool
	// Detached starts the appliance without what is behind its gateways: what
	// comes in from outside is what Inject is given. It is never paced.
	Detached bool
	// Unconfined runs guests without namespaces, on a host that lets nobody have them:
	// see package confine.
	Unconfined bool
	// Runtime is the user's folder for what is there while appliances run, in which each
	// has one of its name: of names that serial ports have on the host.
	Runtime string
	// Note, if not nil, is told for people what they should know: what a board will
	// not have as its files say, what guests do while virtual time hardly gets on, and
	// what of a record cannot be written. It is called on several goroutines, one
	// call at a time.
	Note func(text string)
	// Log, if not nil, is told, for programs, what the appliance does itself: never of a
	// frame, a transfer or a turn.
	Log *zap.Logger
	// Events are told of all that happens, from the start.
	Events []func(*simbus.Event)
}

// Running is an appliance that is running.
type Running struct {
	Name string

	appliance *boards.Appliance // what runs
	cal       *simbus.Calendar
	opts      Options
	log       *zap.Logger // its own; boards and gateways have theirs
	epoch     time.Time
	dir       *guest.RunDir
	backing   []guest.Backing // of boards' memory, by their order: guarded by holding once it runs
	emulators string          // the folder with those of boards' programs, if any needs one: likewise
	all       atomic.Pointer[[]*Machine]
	captures  []io.Closer // of frames
	between   atomic.Pointer[between]
	recorded  map[string]int  // how many segments of a name there were: guarded by holding
	held      map[string]held // why nothing passes at a place of a link, by name: guarded by holding
	holding   sync.Mutex
	gateways  []*gatewayPort
	openLines []openLine             // to programs on the host: guarded by plugging
	ends      map[string]*outlet.End // the host's, of serial lines, by port: guarded by plugging
	plugging  sync.Mutex
	closing   sync.WaitGroup       // ways to the host
	pace      *pacer               // nil: as fast as it goes
	watchdog  *watchdog            // nil: real time needs none
	placement *placement.Placement // nil: boards run where the host wants them
	hostCPUs  []int                // that boards may use
	record    *record.Writer       // nil: nothing is recorded
	events    *record.EventLog
	closed    bool

	outside sync.Mutex       // virtual: held while time moves, and while the outside does something
	inputs  *record.InputLog // where that is recorded, nil if it is not
	jobs    jobList          // virtual: those that were started, guarded by outside
	noting  sync.Mutex
	noted   map[string]bool // what noteOnce has told
	broken  bool            // it was interrupted while time moved
}

// Start assembles an appliance and switches its boards on. In virtual time
// nothing moves before Advance is called.
func Start(ctx context.Context, a *boards.Appliance, o Options) (*Running, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	drawn := a
	a = a.Clone()
	if o.Boot == nil {
		o.Boot = guest.Start
	}
	r := &Running{Name: a.Name, appliance: a, opts: o, epoch: o.Start, recorded: make(map[string]int), held: make(map[string]held), ends: make(map[string]*outlet.End), noted: make(map[string]bool), log: o.Log.Named("appliance")}
	r.between.Store(new(between))
	if o.Virtual {
		if err := boards.CheckStart(o.Start); err != nil {
			return nil, err
		}
	}
	if err := r.checkClock(a); err != nil {
		return nil, err
	}
	if err := r.checkOutlets(a.Joined()); err != nil {
		return nil, err
	}
	if o.Virtual && (o.Paced || a.Paced) && !o.Detached {
		r.pace = newPacer(len(a.Gateway) > 0 || a.Outside())
	}
	if o.Virtual {
		r.cal = simbus.NewVirtual()
		_, n := a.Domains()
		r.cal.Spread(n)
	} else {
		r.cal, r.epoch = simbus.NewReal(), time.Now()
	}
	if o.StallLimit > 0 {
		r.cal.StallLimit = o.StallLimit
	} else {
		r.cal.StallLimit += slowness(largest(a.Members()))
	}
	if err := r.openRecord(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, f := range o.Events {
		r.cal.Subscribe(f)
	}
	r.hostCPUs = simbus.HostCPUs()
	if !o.Virtual {
		r.placement = placement.New()
	}
	if err := r.assemble(ctx, a, drawn); err != nil {
		err = errors.Join(err, r.Close())
		r.record.Drop()
		return nil, err
	}
	r.log.Info("start", r.t(), zap.String("appliance", r.Name), zap.Bool("virtual", o.Virtual), zap.Uint64("seed", o.Seed),
		zap.Int("boards", len(r.machines())), zap.String("record", o.Out))
	for _, m := range r.machines() {
		if m.member.Off || m.away {
			continue
		}
		if err := r.onMachine(m.name, (*Machine).powerOn); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	if err := r.recordRun(a); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.serveLines(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if o.Virtual {
		r.watchdog = newWatchdog(r)
		if o.Out != "" || len(o.Events) > 0 { // else nobody wants events, and there are none
			r.cal.Subscribe(r.watchdog.event)
		}
	}
	return r, nil
}

func (r *Running) assemble(ctx context.Context, a, drawn *boards.Appliance) error {
	kernels, err := r.prepare(ctx, a)
	if err != nil {
		return err
	}
	if r.dir, err = guest.NewRunDir(); err != nil {
		return err
	}
	domains, err := r.addDomains(a.Members())
	if err != nil {
		return err
	}
	if err := r.addMachines(ctx, a.Members(), drawn.Members(), domains, kernels); err != nil {
		return err
	}
	r.checkRoom(r.machines())
	if err := r.connect(a); err != nil {
		return err
	}
	return solder(r.machines())
}

// prepare sees to it that the host has what boards need that come to those that there are.
func (r *Running) prepare(ctx context.Context, a *boards.Appliance) (kernels []guestkernel.Image, err error) {
	if err := r.checkHost(a); err != nil {
		return nil, err
	}
	for _, m := range a.Members()[len(r.machines()):] {
		kernel, err := r.kernel(ctx, m)
		if err != nil {
			return nil, err
		}
		kernels = append(kernels, kernel)
	}
	return kernels, r.findEmulators(ctx, a)
}

// addMachines makes boards, beside those that there are; drawn has them as their files do. They are there even if
// there is an error, as far as they could be made.
func (r *Running) addMachines(ctx context.Context, list, drawn []*boards.Member, domains []*simbus.Domain, kernels []guestkernel.Image) error {
	for i, member := range list {
		there := r.machines()
		m, err := r.newMachine(ctx, len(there), member, drawn[i].Board, domains[i], kernels[i])
		if m != nil { // it is to be closed, whatever became of it
			all := append(slices.Clone(there), m)
			r.all.Store(&all)
		}
		if err != nil {
			return fmt.Errorf("board %s: %w", member.Name, err)
		}
	}
	return nil
}

func solder(list []*Machine) error {
	for _, m := range list {
		if err := m.solder(); err != nil {
			return fmt.Errorf("board %s: %w", m.name, err)
		}
	}
	return nil
}

// machines are the boards that there are, in the order in which they came.
func (r *Running) machines() []*Machine {
	if all := r.all.Load(); all != nil {
		return *all
	}
	return nil
}

// note tells people something.
func (r *Running) note(text string) {
	r.log.Warn("note", r.t(), zap.String("text", text))
	if r.opts.Note != nil {
		r.noting.Lock()
		defer r.noting.Unlock()
		r.opts.Note(text)
	}
}

// noteOnce tells people something that more than one board may find.
func (r *Running) noteOnce(text string) {
	if !r.noted[text] {
		r.noted[text] = true
		r.note(text)
	}
}

// machine finds a board by name.
func (r *Running) machine(name string) (*Machine, error) {
	for _, m := range r.machines() {
		if m.name == name {
			return m, nil
		}
	}
	if err := r.appliance.CheckBoard(name); err != nil { // it may be a slot
		return nil, err
	}
	return nil, boards.Unknown("board", name, r.Boards())
}

// Now is the appliance's present time.
func (r *Running) Now() simbus.Time { return r.cal.Now() }

// Virtual tells which clock it runs on.
func (r *Running) Virtual() bool { return r.opts.Virtual }

// Turns is [simbus.Calendar.Turns].
func (r *Running) Turns() uint64 { return r.cal.Turns() }

// Emit puts an event of the appliance itself into the stream.
func (r *Running) Emit(e simbus.Event) {
	_ = r.input(record.Input{Do: record.DoEvent, Event: e.AppendJSON(nil)}, func() error {
		r.cal.Emit(e)
		return nil
	})
}

// Close pulls all plugs and ends the appliance: nothing of it is left but what
// was recorded. The error tells what could not be saved.
func (r *Running) Close() error { return r.CloseWith(nil) }

// CloseWith is Close with reports, if something is recorded.
func (r *Running) CloseWith(reports record.Reports) error {
	if r.closed {
		return nil
	}
	r.closed = true
	errs := []error{r.closeLines()}
	end := record.Input{Time: r.cal.Now(), Do: record.DoEnd}
	if r.broken {
		end.Value = record.Interrupted
	}
	r.inputs.Add(&end)
	r.watchdog.close()
	for _, m := range r.machines() {
		m.domain.Do(func() { errs = append(errs, m.close()) })
	}
	errs = append(errs, r.closeGateways())
	r.placement.Close()
	r.cal.Close()
	if len(r.segments()) > 0 {
		errs = append(errs, r.recordCounts())
	}
	for _, c := range r.captures {
		errs = append(errs, c.Close())
	}
	r.events.Flush()
	errs = append(errs, r.record.Close(record.End{Time: end.Time, Interrupted: r.broken}, reports))
	if r.dir != nil {
		errs = append(errs, r.dir.Close(r.opts.Unconfined))
	}
	return r.logEnd(end.Time, errors.Join(errs...))
}
