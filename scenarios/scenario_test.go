package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph/catalog"
	"backplane/periph/gpio"
	"backplane/simbus"
	"backplane/simbus/ether"

	"github.com/google/go-cmp/cmp"
)

// fake is an appliance without kernels: what happens is put on a real calendar.
type fake struct {
	*simbus.Calendar
	d      *simbus.Domain
	values map[string]string
	did    []string
	begun  appliance.Pending // of the console "b"
}

func newFake(t *testing.T, r *Recorder) *fake {
	t.Helper()
	f := &fake{Calendar: simbus.NewVirtual(), values: map[string]string{"b.temp0.temperature": "21.5", "b.gpio0.led": "0"}}
	d, err := f.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	f.d = d
	f.Subscribe(r.Event)
	t.Cleanup(f.Close)
	return f
}

// after makes an event happen later.
func (f *fake) after(d time.Duration, part, kind string, attrs ...simbus.Attr) {
	simbus.After(f.d, d, func() { f.d.Emit(simbus.Event{Board: f.d.Name(), Part: part, Kind: kind, Attrs: attrs}) })
}

func (f *fake) note(format string, args ...any) error {
	f.did = append(f.did, f.Now().String()+" "+fmt.Sprintf(format, args...))
	return nil
}

func (f *fake) Boards() []string             { return []string{"b"} }
func (f *fake) State(string) (string, error) { return appliance.StateUp, nil }
func (f *fake) Get(path string) (string, string, error) {
	v, ok := f.values[path]
	if !ok {
		return "", "", fmt.Errorf("there is no %s", path)
	}
	return v, "", nil
}
func (f *fake) Do(x appliance.Action) error {
	switch x.Kind {
	case appliance.Set:
		f.values[x.Place] = x.Value
	case appliance.Send:
		return f.note("send %s %q", x.Place, x.Value+string(x.Data))
	}
	return f.note("%s", strings.TrimSpace(x.Kind.Name+" "+x.Place+" "+x.Value))
}
func (f *fake) Pending(path string) (appliance.Pending, error) {
	if path != "b.console" {
		return appliance.Pending{}, nil
	}
	return f.begun, nil
}
func (f *fake) Exec(board string, args []string, _ []byte, stdout, _ func([]byte), done func(int, error)) (func(), error) {
	simbus.After(f.d, time.Second, func() {
		stdout([]byte("serial 4711\n"))
		done(len(args)-1, nil) // its status is the number of its arguments
		f.d.Emit(simbus.Event{Board: f.d.Name(), Kind: appliance.KindExec})
	})
	return func() {}, f.note("exec %s %q", board, args)
}

// play runs steps, and returns what was done and what went wrong.
func play(t *testing.T, steps string, prepare func(*fake)) (*fake, *Report) {
	t.Helper()
	s, err := Parse("s.toml", []byte("name = 's'\nappliance = 'a.toml'\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	r := new(Recorder)
	f := newFake(t, r)
	if prepare != nil {
		prepare(f)
	}
	return f, Run(context.Background(), f, s, Options{Recorder: r})
}

func message(r *Report) string {
	for _, s := range r.Steps {
		if s.Failure != nil {
			return strings.Join(append([]string{s.Failure.What}, s.Failure.Seen...), "\n")
		}
	}
	return ""
}

// TestTitles has reports call steps that only wait by that.
func TestTitles(t *testing.T) {
	_, r := play(t, "[[step]]\nwait = '1500ms'\n[[step]]\nat = '2s'\n[[step]]\nname = 'pause'\nwait = '1s'\n", nil)
	var got []string
	for _, s := range r.Steps[1:] { // the boards come up first
		got = append(got, s.Name)
	}
	if diff := cmp.Diff([]string{"wait 1.5s", "wait until 2s", "pause"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func line(text string) simbus.Attr { return simbus.Text("line", text) }

func TestSteps(t *testing.T) {
	edges := func(f *fake) {
		f.after(1*time.Second, "gpio0", gpio.KindLevel, line("led"), simbus.Int("level", 1))
		f.after(2*time.Second, "gpio0", gpio.KindLevel, line("led"), simbus.Int("level", 0))
		f.after(3*time.Second, "lan", ether.KindFrame, simbus.Text("from", "b.eth0"), simbus.Text("summary", "UDP 1.2.3.4:5 > 6.7.8.9:10, 3 bytes"))
		f.after(4*time.Second, "console", appliance.KindConsole, line("ready at 42"))
		f.after(5*time.Second, "uart1", appliance.KindConsole, line("ok 42"))
	}
	prompt := func(f *fake) { // begins at 1 s, and ends as a line at 3 s
		simbus.After(f.d, time.Second, func() {
			f.begun = appliance.Pending{Text: "login: ", Since: f.d.Now(), Quiet: f.d.Now().Add(appliance.PromptDelay)}
		})
		simbus.After(f.d, 3*time.Second, func() {
			f.begun = appliance.Pending{Line: 1}
			f.d.Emit(simbus.Event{Board: f.d.Name(), Part: "console", Kind: appliance.KindConsole, Attrs: []simbus.Attr{line("login: root")}})
		})
	}
	tests := []struct {
		name, steps string
		prepare     func(*fake)
		did         []string
		message     string
	}{
		{name: "every action", steps: `
[[step]]
set = { b.temp0.temperature = 30, "b.gpio0.led" = "1" }
[[step]]
wait = "1s"
press = "b.button0"
hold = "20ms"
[[step]]
at = "3s"
cut = "lan"
[[step]]
restore = "lan"
[[step]]
pull_plug = "b"
[[step]]
power_on = "b"
[[step]]
power_off = "b"
[[step]]
send = { to = "b", text = "x\n" }
`, did: []string{"0.000000000s set b.gpio0.led 1", "0.000000000s set b.temp0.temperature 30", "1.000000000s press b.button0 20",
			"3.000000000s cut lan", "3.000000000s restore lan", "3.000000000s pull_plug b", "3.000000000s power_on b", "3.000000000s power_off b",
			`3.000000000s send b "x\n"`}},
		{name: "what was captured is used", prepare: edges, steps: `
[[step]]
expect = { console = "b", match = 'ready at (?P<n>\d+)' }
[[step]]
exec = { board = "b", command = ["show", "${n}"], status = 1, output = 'serial (?P<s>\d+)' }
[[step]]
send = { to = "b.uart1", text = "${s}" }
[[step]]
expect = { console = "b.uart1", match = "ok ${n}" }
`, did: []string{`4.001000000s exec b ["show" "42"]`, `5.002000000s send b.uart1 "4711"`}},
		{name: "edges and frames", prepare: edges, steps: `
[[step]]
expect = { line = "b.gpio0.led", edge = "both", count = 2, within = "3s" }
[[step]]
expect = { frames = "lan", from = "b.eth0", match = "UDP .* > 6", within = "3s" }
[[step]]
expect = { event = "console", where = { part = "uart1", line = "^ok" } }
`},
		{name: "a line that came before the step counts", prepare: edges, steps: `
[[step]]
wait = "6s"
[[step]]
expect = { console = "b", match = "ready", within = "1ms" }
`},
		{name: "a line that came before the step acts does not", prepare: edges, steps: `
[[step]]
wait = "6s"
[[step]]
press = "b.button0"
expect = { console = "b", match = "ready", within = "1ms" }
`, did: []string{"6.000000000s press b.button0 100"}, message: "expected a line that matches \"ready\" on b.console within 1ms, until 6.001000000s\n4.000000000s b.console console line=\"ready at 42\""},
		{name: "a line of the boot before does not", prepare: func(f *fake) {
			edges(f)
			f.after(5*time.Second, "", appliance.KindGuest, simbus.Text("state", appliance.StateBooting))
		}, steps: `
[[step]]
wait = "6s"
[[step]]
expect = { console = "b", match = "ready", within = "1ms" }
`, message: "expected a line that matches \"ready\" on b.console within 1ms, until 6.001000000s\n4.000000000s b.console console line=\"ready at 42\""},
		{name: "all", prepare: edges, steps: `
[[step]]
expect = { all = [{ console = "b.uart1", match = "ok (?P<n>.*)" }, { line = "b.gpio0.led", edge = "falling" }, { frames = "lan", count = 2, never = true }], within = "9s" }
[[step]]
send = { to = "b.uart1", hex = "01 ${n} ff" }
`, did: []string{`5.001000000s send b.uart1 "\x01B\xff"`}},
		{name: "not all", prepare: edges, steps: `
[[step]]
expect = { all = [{ console = "b.uart1", match = "ok" }, { line = "b.gpio0.led", edge = "rising", count = 2 }], within = "9s" }
`, message: `expected a line that matches "ok" on b.uart1, and 2 times a rising edge on b.gpio0.led within 9s, until 9.000000000s
a line that matches "ok" on b.uart1: yes
  5.000000000s b.uart1 console line="ok 42"
2 times a rising edge on b.gpio0.led: not so
  it happened 1 times
  1.000000000s b.gpio0 gpio line=led level=1
  2.000000000s b.gpio0 gpio line=led level=0`},
		{name: "all, and what must not happen", prepare: edges, steps: `
[[step]]
expect = { all = [{ console = "b.uart1", match = "ok" }, { line = "b.gpio0.led", edge = "both", count = 2, never = true }], within = "9s" }
`, message: `expected a line that matches "ok" on b.uart1, and an edge on b.gpio0.led fewer than 2 times within 9s, until 9.000000000s: it came
a line that matches "ok" on b.uart1: not so
  nothing
an edge on b.gpio0.led fewer than 2 times: not so
  it happened 2 times
  1.000000000s b.gpio0 gpio line=led level=1
  2.000000000s b.gpio0 gpio line=led level=0`},
		{name: "any", prepare: edges, steps: `
[[step]]
expect = { any = [{ console = "b", match = "failed at (?P<n>.*)" }, { console = "b", match = "ready at (?P<n>.*)" }] }
[[step]]
send = { to = "b", text = "${n}" }
`, did: []string{`4.001000000s send b "42"`}},
		{name: "never so often", prepare: edges, steps: `
[[step]]
expect = { line = "b.gpio0.led", edge = "both", never = true, count = 3, within = "9s" }
`},
		{name: "repeated", prepare: edges, steps: `
[[step]]
wait = "1s"
press = "b.button0"
repeat = 3
`, did: []string{"1.000000000s press b.button0 100", "2.000000000s press b.button0 100", "3.000000000s press b.button0 100"}},
		{name: "a prompt", prepare: prompt, steps: `
[[step]]
expect = { console = "b", match = '^login: $' }
[[step]]
send = { to = "b", text = "root\n" }
expect = { console = "b", match = '^login: root$' }
`, did: []string{`1.100000000s send b "root\n"`}},
		{name: "a prompt counts once", prepare: prompt, steps: `
[[step]]
expect = { console = "b", match = '^login: ', count = 2, within = "9s" }
`, message: "expected 2 times a line that matches \"^login: \" on b.console within 9s, until 9.000000000s\nit happened 1 times\n3.000000000s b.console console line=\"login: root\""},
		{name: "a prompt from before the step acts", prepare: prompt, steps: `
[[step]]
wait = "2s"
[[step]]
send = { to = "b", text = "root\n" }
expect = { console = "b", match = '^login: ', within = "1s" }
`, did: []string{`2.000000000s send b "root\n"`}, message: "expected a line that matches \"^login: \" on b.console within 1s, until 3.000000000s\nb.console has a line that has not ended: \"login: \""},
		{name: "a prompt that comes at the last moment", prepare: prompt, steps: `
[[step]]
expect = { console = "b", match = '^login: $', within = "1001ms" }
`},
		{name: "no line", prepare: edges, steps: `
[[step]]
expect = { console = "b", match = "never seen", within = "5s" }
`, message: "expected a line that matches \"never seen\" on b.console within 5s, until 5.000000000s\n4.000000000s b.console console line=\"ready at 42\""},
		{name: "wrong value", steps: `
[[step]]
expect = { property = "b.temp0.temperature", above = 30, within = "1s" }
`, message: "expected b.temp0.temperature above 30 within 1s, until 1.000000000s\nb.temp0.temperature is 21.5"},
		{name: "right values", steps: `
[[step]]
expect = { property = "b.temp0.temperature", equals = 21.50, between = [21, 22], capture = "t" }
[[step]]
set = { "b.gpio0.led" = "${t}" }
`, did: []string{"0.000000000s set b.gpio0.led 21.5"}},
		{name: "unknown property", steps: `
[[step]]
expect = { property = "b.temp9.x", equals = 1 }
`, message: "there is no b.temp9.x"},
		{name: "never, and it did not", prepare: edges, steps: `
[[step]]
expect = { line = "b.gpio0.led", edge = "falling", never = true, within = "1500ms" }
`},
		{name: "never, and it did", prepare: edges, steps: `
[[step]]
expect = { line = "b.gpio0.led", edge = "rising", never = true, within = "2s" }
`, message: "expected no rising edge on b.gpio0.led within 2s, until 2.000000000s: it came\n1.000000000s b.gpio0 gpio line=led level=1"},
		{name: "wrong status", steps: `
[[step]]
exec = { board = "b", command = ["show", "x"] }
`, message: "expected \"show x\" on b to end with status 0\nstatus 1\nserial 4711", did: []string{`0.000000000s exec b ["show" "x"]`}},
		{name: "a board is lost", prepare: func(f *fake) {
			f.after(time.Second, "", appliance.KindGuest, simbus.Text("state", "panic"), simbus.Text("detail", "Kernel panic"))
		}, steps: `
[[step]]
expect = { console = "b", match = "x", within = "5s" }
`, message: "board b panicked: Kernel panic\nwhile it expected a line that matches \"x\" on b.console\nnothing"},
		{name: "a board is lost, as expected", prepare: func(f *fake) {
			f.after(time.Second, "", appliance.KindGuest, simbus.Text("state", "panic"), simbus.Text("detail", "Kernel panic"))
		}, steps: `
[[step]]
expect = { event = "guest", where = { state = "panic" } }
`},
		{name: "out of time", steps: `timeout = "1h"
[[step]]
at = "2h"
`, message: "the scenario's timeout of 1h0m0s is over"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, r := play(t, tt.steps, tt.prepare)
			if diff := cmp.Diff(tt.message, message(r)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.did, f.did); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReports(t *testing.T) {
	_, r := play(t, `
[[step]]
name = "good"
wait = "1s"
[[step]]
name = "bad <&>"
expect = { property = "b.temp0.temperature", equals = 5, within = "1s" }
[[step]]
name = "not reached"
wait = "1s"
`, func(f *fake) {
		f.after(500*time.Millisecond, "console", appliance.KindConsole, line("before the step"))
		f.after(1500*time.Millisecond, "console", appliance.KindConsole, line("a \x1b]0;title\a\x1b[31m \xe4 ä"))
	})
	r.Wall = 2 * time.Second
	var file bytes.Buffer
	if err := r.WriteJSON(&file); err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(file.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, s := range report.Steps {
		results = append(results, s.Name+": "+s.Result)
	}
	if diff := cmp.Diff([]string{"the boards come up: passed", "good: passed", "bad <&>: failed", "not reached: skipped"}, results); diff != "" || report.Passed() {
		t.Errorf("report.json (-want +got):\n%s", diff)
	}
	file.Reset()
	if err := r.WriteJUnit(&file); err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suite []struct {
			Tests      int `xml:"tests,attr"`
			Failures   int `xml:"failures,attr"`
			Properties []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"properties>property"`
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Output  string    `xml:"system-out"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(file.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	if len(suites.Suite) != 1 || suites.Suite[0].Tests != 4 || suites.Suite[0].Failures != 1 {
		t.Fatalf("junit.xml holds %+v", suites)
	}
	c := suites.Suite[0].Cases
	if c[2].Name != "2 bad <&>" || c[2].Failure == nil || c[1].Failure != nil || c[3].Skipped == nil {
		t.Errorf("junit.xml holds %+v", c)
	}
	if want := `1.500000000s b.console a \x1b]0;title\a\x1b[31m \xe4 ä`; c[2].Output != want || c[1].Output != "" {
		t.Errorf("the console of the failed step is %q, want %q", c[2].Output, want)
	}
	names := make(map[string]string)
	for _, p := range suites.Suite[0].Properties {
		names[p.Name] = p.Value
	}
	if names["wall_time"] != "2.000000000" || names["wall_time.2"] == "" || names["wall_time.3"] != "" {
		t.Errorf("the host's times are %q", names)
	}
	for _, text := range []string{report.Steps[2].Failure.Error(), file.String()} {
		if strings.ContainsAny(text, "\x1b\a") {
			t.Errorf("raw escape sequences in %q", text)
		}
	}
}

// TestEventsAreDocumented holds the documentation against the kinds.
func TestEventsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, k := range EventKinds(catalog.All) {
		var attrs []string
		for _, a := range k.Attrs {
			said := strings.Join(a.Values, ", ")
			if a.Doc != "" && said != "" {
				said += "; "
			}
			if said += a.Doc; said != "" {
				said = " (" + said + ")"
			}
			attrs = append(attrs, "`"+a.Key+"`"+said)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", k.Name, strings.Join(attrs, ", "), k.Doc)
	}
	_, rest, _ := strings.Cut(string(text), "| kind | attributes | what |\n|---|---|---|\n")
	got, _, _ := strings.Cut(rest, "\n\n")
	if diff := cmp.Diff(table.String(), got+"\n"); diff != "" {
		t.Errorf("docs/scenarios.md has another table of events: make it this (-want +got):\n%s\n%s", diff, table.String())
	}
}

func TestMistakes(t *testing.T) {
	const ok = "appliance = 'a.toml'\n"
	tests := []struct{ name, text, want string }{
		{"nothing", "", "s.toml: the scenario has no appliance: write appliance = \"APPLIANCE.toml\". (A file of steps for others to include has none: it is checked and played with them)\ns.toml: the scenario has no steps: write a [[step]] for each"},
		{"unknown key", ok + "[[step]]\nwiat = '1s'", "s.toml:2:3: a step that does nothing: give it an action (set, press, send, cut, restore, power_on, power_off, pull_plug, plug, unplug, exec), expect or wait\ns.toml:3:1: unknown key \"wiat\": did you mean \"wait\"?"},
		{"two actions", ok + "[[step]]\ncut = 'a'\nrestore = 'a'", "s.toml:4:1: restore in a step that already has cut: write a step for each"},
		{"bad expression", ok + "[[step]]\nexpect = { console = 'a', match = '(' }", "s.toml:3:27: not a regular expression: missing closing ) in \"(\"; the syntax is Go's regexp (RE2)"},
		{"edge of a word", ok + "[[step]]\nexpect = { console = 'a', match = \"\\bok\" }", "s.toml:3:27: \"\\b\" in double quotes is a backspace, not a word boundary: write the regular expression in single quotes"},
		{"two things expected", ok + "[[step]]\nexpect = { console = 'a', property = 'b' }", "s.toml:3:1: expect needs match\ns.toml:3:27: property in an expectation about console: write all = [{ console }, { property }], or any"},
		{"no level", ok + "[[step]]\nexpect = { line = 'a.b.c' }", "s.toml:3:1: expect needs level or edge for a line"},
		{"key of another kind", ok + "[[step]]\nexpect = { line = 'a.b.c', level = 1, match = 'x' }", "s.toml:3:39: match does not go with line: there are level, edge, count"},
		{"not captured", ok + "[[step]]\nsend = { to = 'b', text = '${nothing}' }", "s.toml:3:20: no step before this one captures ${nothing}"},
		{"bad clock", ok + "clock = 'wall'\n[[step]]\nwait = '1s'", "s.toml:2:1: clock is \"wall\"; it must be \"virtual\" or \"real\""},
		{"no number above", ok + "[[step]]\nexpect = { property = 'b.t.x', above = nan }", "s.toml:3:32: above is the number NaN; it must be a finite number"},
		{"no end below", ok + "[[step]]\nexpect = { property = 'b.t.x', below = inf }", "s.toml:3:32: below is the number +Inf; it must be a finite number"},
		{"no end between", ok + "[[step]]\nexpect = { property = 'b.t.x', between = [1, inf] }", "s.toml:3:32: between must be the lowest and the highest value, such as [1, 2]\ns.toml:3:46: between is the number +Inf; it must be a finite number"},
		{"no number that equals", ok + "[[step]]\nexpect = { property = 'b.t.x', equals = nan }", "s.toml:3:32: equals: must be a finite number, text in quotes, or true or false"},
		{"no number set", ok + "[[step]]\nset = { b.t.x = -nan }", "s.toml:3:13: b.t.x must be a finite number, text in quotes, or true or false"},
		{"bad duration", ok + "[[step]]\nwait = 'a while'", "s.toml:3:1: wait: \"a while\" is not a duration: write a number and ns, us, ms, s, m or h, such as \"50us\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("s.toml", []byte(tt.text))
			if err == nil {
				t.Fatal("nothing was found wrong")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	want, err := Schema(catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../boards/schema/scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("boards/schema/scenario.json is not current: 'make schemas' (-want +got):\n%s", diff)
	}
}

// TestProgramLines: a failure that shows the end of what a program has written says so.
func TestProgramLines(t *testing.T) {
	p := &program{ended: true, status: 3}
	p.write([]byte(strings.Repeat("early\n", 4) + strings.Repeat("late\n", tail)))
	want := append([]string{"status 3, and the last 10 lines of 14:"}, slices.Repeat([]string{"late"}, tail)...)
	if got := p.lines(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
