package tests

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/scenarios"
	"backplane/simbus"
	"backplane/tests/guesttest"
)

// play plays steps on a board that is called b and has a serial port uart1. main is
// what its init does, a shell script. Every event must be as the table of kinds says.
func play(t *testing.T, real bool, main, steps string) *scenarios.Report {
	t.Helper()
	dir := t.TempDir()
	board := fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\ninit = \"/bin/sh\"\ninit_args = [\"-c\", %q]\n[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nbaud = 9600\n",
		guesttest.Rootfs(t), main)
	for name, text := range map[string]string{"b.toml": board, "s.toml": "appliance = \"b.toml\"\n" + steps} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := scenarios.Load(filepath.Join(dir, "s.toml"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := boards.Load(s.AppliancePath(), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(a); err != nil {
		t.Fatal(err)
	}
	report, _ := playEvents(t, s, a, real, filepath.Join(dir, "out"))
	return report
}

// known holds an event against the table of the kinds and the names of the appliance.
func known(t *testing.T, a *boards.Appliance, e *simbus.Event) {
	kind, ok := simbus.FindKind(scenarios.EventKinds(a.Catalog()), e.Kind)
	if !ok || !slices.Contains(a.BoardNames(), e.Board) || !slices.Contains(a.PartNames(func(board string) bool { return board == e.Board }), e.Part) {
		t.Errorf("the event %s is of no known kind or place", e.AppendJSON(nil))
		return
	}
	if err := kind.Check(e); err != nil {
		t.Errorf("the event %s: %v", e.AppendJSON(nil), err)
	}
	for _, attr := range kind.Attrs {
		if v, ok := e.Get(attr.Key); ok && attr.Names != "" && !slices.Contains(a.EventNames(attr.Names), v) {
			t.Errorf("the event %s: %s is no %s that a scenario could name: %q", e.AppendJSON(nil), attr.Key, attr.Names, a.EventNames(attr.Names))
		}
	}
}

// TestEventsAreDescribed plays scenarios, each event of which is of a kind that scenarios
// can name, with attributes that can be what they are.
func TestEventsAreDescribed(t *testing.T) {
	dir := writeFiles(t, plugFiles(guesttest.Rootfs(t)))
	plug := "appliance = \"main.toml\"\n[[step]]\nunplug = \"x.temp0\"\n[[step]]\nunplug = \"x.eth0\"\n[[step]]\ncut = \"cable\"\n[[step]]\nset = { \"lan.loss\" = 0.5, \"lan:x.eth0.tx.loss\" = 0.5 }\n"
	if err := os.WriteFile(filepath.Join(dir, "s.toml"), []byte(plug), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"../" + thermal, "../scenarios/network/network.toml", filepath.Join(dir, "s.toml")} {
		s, err := scenarios.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		a, err := boards.Load(s.AppliancePath(), catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		if report, n := playEvents(t, s, a, false, ""); !report.Passed() || n == 0 {
			t.Errorf("%s: %s with %d events", file, report.Result, n)
		}
	}
}

// playEvents plays a scenario, and holds its events against what is known of them.
func playEvents(t *testing.T, s *scenarios.Scenario, a *boards.Appliance, real bool, out string) (r *scenarios.Report, events int) {
	t.Helper()
	r, err := scenarios.Play(context.Background(), s, a, appliance.Options{
		Virtual: !real, Start: guesttest.Start, Init: guesttest.Init(t), Out: out,
		Kernel: func(_ context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error) {
			return guesttest.Kernel(t, virtual, want), nil
		},
		Events: []func(*simbus.Event){func(e *simbus.Event) {
			events++
			known(t, a, e)
		}},
	}, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r, events
}

// failure is what a report says of the step that failed.
func failure(r *scenarios.Report) *scenarios.Failure {
	for _, s := range r.Steps {
		if s.Failure != nil {
			return s.Failure
		}
	}
	return &scenarios.Failure{}
}

const loaded = "usleep 500000; echo application loaded; exec sleep 1000"

// TestPrompt wants prompts on a console and on a UART, each once.
func TestPrompt(t *testing.T) {
	for _, real := range []bool{false, true} {
		t.Run(map[bool]string{false: "virtual", true: "real"}[real], func(t *testing.T) {
			r := play(t, real, "stty -F /dev/ttyS1 raw -echo; printf 'U-Boot> ' >/dev/ttyS1; while read line </dev/ttyS1; do printf '%s\\nU-Boot> ' \"$line\" >/dev/ttyS1; done", `
[[step]]
name = "the first prompt"
expect = { console = "b.uart1", match = '^U-Boot> $', within = "20s" }
[[step]]
name = "a new one after what is sent, and the answer before it"
send = { to = "b.uart1", text = "version\n" }
expect = { all = [{ console = "b.uart1", match = '^U-Boot> version' }, { console = "b.uart1", match = '^U-Boot> $' }], within = "20s" }
[[step]]
name = "which does not count again"
wait = "300ms"
expect = { console = "b.uart1", match = 'U-Boot', never = true, within = "500ms" }
[[step]]
name = "nor for a step that acts"
exec = { board = "b", command = ["true"] }
expect = { console = "b.uart1", match = 'U-Boot', within = "500ms" }
`)
			f := failure(r)
			if want := `b.uart1 has a line that has not ended: "U-Boot> "`; r.Steps[4].Failure == nil || !slices.Contains(f.Seen, want) {
				t.Errorf("want only the last step to fail, with %q seen:\n%v", want, f)
			}
		})
	}
}

// TestPowerCycle wants a step to see the console of the boot that it began.
func TestPowerCycle(t *testing.T) {
	const cycle = `
[[step]]
wait = "2s"
pull_plug = "b"
[[step]]
power_on = "b"
`
	if r := play(t, false, loaded, cycle+`expect = { console = "b", match = "application loaded", within = "400ms" }`); r.Passed() {
		t.Error("the line of the boot before has counted")
	}
	if r := play(t, false, loaded, cycle+"[[step]]\nexpect = { console = \"b\", match = \"application loaded\", within = \"400ms\" }"); r.Passed() {
		t.Error("the line of the boot before has counted for a later step")
	}
	if r := play(t, false, loaded, cycle+`expect = { console = "b", match = "application loaded", within = "2s" }`); !r.Passed() {
		t.Errorf("the line of this boot has not:\n%v", failure(r))
	}
}

// TestHexSend sends all bytes to a UART.
func TestHexSend(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	r := play(t, false, "stty -F /dev/ttyS1 raw -echo; head -c 256 /dev/ttyS1 | od -An -v -tx1 | tr -d ' \\n'; echo", fmt.Sprintf(`
[[step]]
wait = "500ms"
send = { to = "b.uart1", hex = "%s" }
expect = { console = "b", match = "^%s$" }
`, strings.ToUpper(hex.EncodeToString(all)), hex.EncodeToString(all)))
	if !r.Passed() {
		t.Error(failure(r))
	}
}

// TestOutputIsMatchedByLine wants ^ and $ at the ends of each line of a program's output.
func TestOutputIsMatchedByLine(t *testing.T) {
	r := play(t, false, loaded, `
[[step]]
exec = { board = "b", command = ["printf", "a\n63500\nb\n"], output = "^(?P<n>63500)$" }
[[step]]
exec = { board = "b", command = ["printf", "63500"], output = '\A${n}\z' }
[[step]]
exec = { board = "b", command = ["printf", "a\n63500\n"], output = '\A63500' }
`)
	if want := `expected output that matches "\\A63500" of "printf a\n63500\n" on b`; r.Steps[2].Result != scenarios.Passed || failure(r).What != want {
		t.Errorf("want only the last step to fail, with %s:\n%v", want, failure(r))
	}
}

// TestReportsShowEscapes wants no control character of a guest in any report, and
// the consoles of the step that failed in JUnit's.
func TestReportsShowEscapes(t *testing.T) {
	r := play(t, false, loaded, `
[[step]]
exec = { board = "b", command = ["printf", '\033]0;title\007\033[31m\n\344\n'], output = "nothing like it" }
`)
	console := play(t, false, "usleep 900000; printf '\\033]0;title\\007\\033[31m red\\n'; exec sleep 1000", `
[[step]]
expect = { console = "b", match = "nothing like it", within = "2s" }
`)
	for _, r := range []*scenarios.Report{r, console} {
		var junit strings.Builder
		if err := r.WriteJUnit(&junit); err != nil {
			t.Fatal(err)
		}
		text := failure(r).Error()
		if !strings.Contains(text, `\x1b]0;title\a\x1b[31m`) {
			t.Errorf("the report does not show what the guest printed:\n%s", text)
		}
		if strings.ContainsAny(text+junit.String(), "\x1b\a\ufffd") {
			t.Errorf("raw control characters in %q", text+junit.String())
		}
		if r == console && !strings.Contains(junit.String(), `<system-out>0.`) {
			t.Errorf("the console is not in the system-out of the step that failed:\n%s", junit.String())
		}
	}
}

// TestNamesAreResolvedBeforeBoot wants `check` and `run` to find a wrong name alike,
// and `run` to boot nothing for it.
func TestNamesAreResolvedBeforeBoot(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.toml": "name = \"b\"\n",
		"s.toml": "appliance = \"b.toml\"\n[[step]]\ninclude = \"more.toml\"\n", "more.toml": "[[step]]\nwait = \"1s\"\n[[step]]\npower_off = \"c\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := filepath.Join(dir, "more.toml") + `:4:1: there is no board "c": did you mean "b"?`
	for _, command := range []string{"check", "run"} {
		out, errs, status := run(t, nil, command, filepath.Join(dir, "s.toml"))
		if status != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, want 2 and %q:\n%s%s", command, status, want, out, errs)
		}
	}
}
