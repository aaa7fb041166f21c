package scenarios

import (
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/tomlfile"
)

// Scenario is a scenario file.
type Scenario struct {
	Name      string          `toml:"name,omitempty" jsonschema:"description=Name in reports; the file's name if left out"`
	Doc       string          `toml:"doc,omitempty" jsonschema:"description=One line for people"`
	Appliance string          `toml:"appliance" jsonschema:"description=Appliance or board file; the path is relative to this file"`
	Seed      uint64          `toml:"seed,omitempty" jsonschema:"default=0,description=Seed of all random numbers in virtual time"`
	Clock     string          `toml:"clock,omitempty" jsonschema:"enum=virtual,enum=real,default=virtual,description=Virtual: time moves when all boards wait; real: the host's time"`
	Start     time.Time       `toml:"start,omitempty" jsonschema:"default=2026-01-01T00:00:00Z,description=Wall-clock time in the boards at switch-on with the virtual clock"`
	Timeout   boards.Duration `toml:"timeout,omitempty" jsonschema:"description=The appliance's time at which an unfinished scenario fails; no limit if left out"`
	Boot      boards.Duration `toml:"boot,omitempty" jsonschema:"default=60s,description=How long the boards may take to come up before the first step"`
	GuestLoss string          `toml:"on_guest_loss,omitempty" jsonschema:"enum=fail,enum=continue,default=fail,description=Whether the scenario fails if a board panics or its processes are lost and no step expects it"`
	Stall     boards.Duration `toml:"stall_limit,omitempty" jsonschema:"default=60s,description=In virtual time how long a guest may be silent before it counts as hung; in the host's time"`
	HostLimit boards.Duration `toml:"host_limit,omitempty" jsonschema:"description=How much of the host's time the run may take before the scenario fails; time in which it was stopped does not count; no limit if left out"`
	Player    string          `toml:"player,omitempty" jsonschema:"description=File of steps that are played beside those of the scenario; the path is relative to this file"`
	Step      []Step          `toml:"step" jsonschema:"minItems=1,description=What is done and expected in this order"`

	file   string
	docs   []*tomlfile.Doc // of this file and of those that it includes
	player []Step

	paths tomlfile.Paths
}

// Clocks, as Scenario.Clock has them.
const (
	Virtual = "virtual"
	Real    = "real"
)

// What to do about a guest that is lost, as Scenario.GuestLoss has it.
const (
	LossFails     = "fail"
	LossContinues = "continue"
)

// Step is one thing to do, one to expect, or both: then the expectation counts
// from before the action, so that what the action brings about at once is seen.
type Step struct {
	Name string           `toml:"name,omitempty" jsonschema:"description=Name in reports"`
	At   *boards.Duration `toml:"at,omitempty" jsonschema:"description=Time since switch-on at which to act; at once if it has passed"`
	Wait boards.Duration  `toml:"wait,omitempty" jsonschema:"description=How long to wait before acting"`

	// What it does is the key of one of [appliance.Actions], or exec. These are not
	// written as the others are: a place, or a table of places and values.
	Hold  boards.Duration `toml:"hold,omitempty" jsonschema:"default=100ms,description=How long to press a button"`
	Send  *Send           `toml:"send,omitempty" jsonschema:"description=Text or bytes to send to a console or UART"`
	Exec  *Exec           `toml:"exec,omitempty" jsonschema:"description=Program to run on a board"`
	Other map[string]any  `toml:",rest" jsonschema:"-"`

	Expect *Expect `toml:"expect,omitempty" jsonschema:"description=What must happen"`

	Include string `toml:"include,omitempty" jsonschema:"description=File whose steps are played here; the path is relative to this file"`
	Repeat  int    `toml:"repeat,omitempty" jsonschema:"minimum=1,default=1,description=How often to play the step or what it includes"`

	doc   *tomlfile.Doc // the file that it stands in
	path  string        // and where: step[3]
	steps []Step        // those that it includes
	deeds []deed        // its actions
}

// Steps is a file of steps for scenarios to include.
type Steps struct {
	Doc  string `toml:"doc,omitempty" jsonschema:"description=One line for people"`
	Step []Step `toml:"step" jsonschema:"minItems=1,description=What is done and expected in this order"`

	Rest map[string]any `toml:",rest" jsonschema:"-"` // what it cannot have
}

// Send is text or bytes for a console or UART.
type Send struct {
	To   string `toml:"to" jsonschema:"description=board.uart; board alone for its main console"`
	Text string `toml:"text,omitempty" jsonschema:"description=The text; a console's line ends with \\n"`
	Hex  string `toml:"hex,omitempty" jsonschema:"description=Bytes instead of text: two hexadecimal digits each such as '01 03 ff'"`
}

// Exec is a program run on a board by its agent. The step goes on when the
// program has ended.
type Exec struct {
	Board   string          `toml:"board" jsonschema:"description=Where to run it"`
	Command []string        `toml:"command" jsonschema:"minItems=1,description=The program and its arguments; not run by a shell"`
	Stdin   string          `toml:"stdin,omitempty" jsonschema:"description=Its standard input"`
	Status  int             `toml:"status,omitempty" jsonschema:"default=0,description=Exit status that it must end with"`
	Output  string          `toml:"output,omitempty" jsonschema:"description=Regular expression that its standard output and error together must match: ^ and $ are the ends of each line; named groups are captured"`
	Timeout boards.Duration `toml:"timeout,omitempty" jsonschema:"default=10s,description=How long it may take"`
}

// Expect is what must happen by when: one thing, or all or any of several.
type Expect struct {
	Want
	All    []Want          `toml:"all,omitempty" jsonschema:"minItems=1,description=Several things that must all happen; in any order"`
	Any    []Want          `toml:"any,omitempty" jsonschema:"minItems=1,description=Several things; one of them must happen"`
	Within boards.Duration `toml:"within,omitempty" jsonschema:"default=5s,description=Time limit from the end of the action"`
}

// Want is something that must happen. It is about one of Console, Property,
// Line, Frames and Event; the keys that go with each stand below it.
type Want struct {
	Console string `toml:"console,omitempty" jsonschema:"description=Console or UART on which a line must appear: board.uart; board alone for its main console"`
	Match   string `toml:"match,omitempty" jsonschema:"description=Regular expression for the line (console) or the summary (frames); named groups are captured"`

	Property string    `toml:"property,omitempty" jsonschema:"description=Property that must have the value: board.part.property"`
	Equals   *Scalar   `toml:"equals,omitempty" jsonschema:"description=Its value"`
	Above    *float64  `toml:"above,omitempty" jsonschema:"description=What it must be greater than"`
	Below    *float64  `toml:"below,omitempty" jsonschema:"description=What it must be less than"`
	Between  []float64 `toml:"between,omitempty" jsonschema:"minItems=2,maxItems=2,description=Lowest and highest value that it may have"`
	Capture  string    `toml:"capture,omitempty" jsonschema:"pattern=^[A-Za-z_][A-Za-z0-9_]*$,description=Name under which later steps can use the value"`

	Line  string `toml:"line,omitempty" jsonschema:"description=GPIO line: board.controller.line by name"`
	Level *int   `toml:"level,omitempty" jsonschema:"minimum=0,maximum=1,description=Level that the line must have"`
	Edge  string `toml:"edge,omitempty" jsonschema:"enum=rising,enum=falling,enum=both,description=Edge that must appear on the line"`

	Frames string `toml:"frames,omitempty" jsonschema:"description=Segment on which a frame must appear"`
	From   string `toml:"from,omitempty" jsonschema:"description=Port that it must come from: board.port"`

	Event string            `toml:"event,omitempty" jsonschema:"description=Kind of event that must appear"`
	Where map[string]string `toml:"where,omitempty" jsonschema:"description=Regular expressions for its attributes and its board and part; named groups are captured"`

	Count int  `toml:"count,omitempty" jsonschema:"minimum=1,default=1,description=How often it must happen: not for property and level"`
	Never bool `toml:"never,omitempty" jsonschema:"description=It must not happen within the time; with count: not so often"`
}

// What is meant when a file leaves it out.
const (
	DefaultBoot    = time.Minute
	DefaultWithin  = 5 * time.Second
	DefaultTimeout = 10 * time.Second // of a program
	DefaultHold    = 100 * time.Millisecond
)

// DefaultStart is Scenario.Start when a file leaves it out.
var DefaultStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// boards are those that the step names.
func (st *Step) boards(vars map[string]string) (names []string) {
	add := func(path string) {
		name, _, _ := strings.Cut(expand(path, vars, plain), ".")
		if name, _, _ = strings.Cut(name, ":"); name != "" {
			names = append(names, name)
		}
	}
	for _, d := range st.deeds {
		add(d.place)
	}
	if st.Exec != nil {
		add(st.Exec.Board)
	}
	if st.Expect != nil {
		for _, w := range st.Expect.wants() {
			for _, path := range []string{w.Console, w.Property, w.Line, w.From} {
				add(path)
			}
		}
	}
	return names
}

// IsScenario tells whether a file is a scenario's, rather than an appliance's or
// a board's: it has steps or names an appliance.
func IsScenario(file string) bool {
	keys := tomlfile.Keys(file)
	return keys["step"] || keys["appliance"]
}

// File is the scenario's own file.
func (s *Scenario) File() string { return s.file }

// AppliancePath is where the appliance's file is.
func (s *Scenario) AppliancePath() string {
	return s.docs[0].Beside(s.Appliance)
}

// Paths are all files of the host that the scenario and what it includes name; those
// that its appliance names are not among them.
func (s *Scenario) Paths() []tomlfile.Path { return s.paths.List }
