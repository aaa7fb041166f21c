package scenarios

import (
	"os"
	"path/filepath"
	"testing"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// TestNames has a wrong name or value in each step, and wants each found before
// anything boots, and nothing else.
func TestNames(t *testing.T) {
	a := thermal(t)
	tests := []struct{ step, want string }{
		{`pull_plug = "senser"`, `3:1: there is no board "senser": did you mean "sensor"?`},
		{`power_off = "controler"`, `3:1: there is no board "controler": did you mean "controller"?`},
		{`power_on = "x"`, `3:1: there is no board "x": there are controller, sensor`},
		{`exec = { board = "controler", command = ["ls"] }`, `3:10: there is no board "controler": did you mean "controller"?`},
		{`cut = "lam"`, `3:1: there is no segment, link or wire "lam": did you mean "lan"?`},
		{`restore = "lan:sensor.eth1"`, `3:1: segment lan has no port "sensor.eth1": did you mean "sensor.eth0"?`},
		{`cut = "alarm"`, ``},
		{`unplug = "sensor.temp1"`, `3:1: board sensor: there is no part or port "temp1": did you mean "temp0"?`},
		{`plug = "senser.temp0"`, `3:1: there is no board "senser": did you mean "sensor"?`},
		{`unplug = "lan:sensor.eth1"`, `3:1: segment lan has no port "sensor.eth1": did you mean "sensor.eth0"?`},
		{`unplug = "lan"`, ``},
		{`unplug = "sensor.console"`, `3:1: sensor.console cannot be unplugged: every board has it`},
		{`unplug = "sensor.gpio0"`, ``},
		{`unplug = "sensor.eth0.card"`, ``},
		{`unplug = "sensor.eth1.card"`, `3:1: board sensor: there is no part or port "eth1.card": did you mean "eth0.card"?`},
		{`unplug = "sensor.eth0"`, ``},
		{`press = "sensor.buton0"`, `3:1: board sensor has no part "buton0": did you mean "button0"?`},
		{"press = \"sensor.button0\"\nhold = \"2h\"", `4:1: press for "7200000": want a number of milliseconds, more than 0 and at most 3600000`},
		{`set = { "sensor.button0.press" = "long" }`, `3:9: sensor.button0.press: press for "long": want a number of milliseconds, more than 0 and at most 3600000`},
		{`press = "sensor.temp0"`, `3:1: a tmp102 has no property "press": there is only temperature`},
		{`send = { to = "controller.uart2", text = "x" }`, `3:10: board controller has no console or UART "uart2": did you mean "uart1"?`},
		{`send = { to = "controller", hex = "01 03 FF" }`, ``},
		{`set = { "sensor.temp0.temprature" = 1 }`, `3:9: a tmp102 has no property "temprature": did you mean "temperature"?`},
		{`set = { sensor.temp0.temperature = 900 }`, `3:22: sensor.temp0.temperature: temperature is 900, outside -55 to 150 °C`},
		{`set = { "sensor.temp0.temperature" = "21 C" }`, `3:9: sensor.temp0.temperature: "21 C" is not a number`},
		{`set = { "controller.led0.lit" = true }`, `3:9: controller.led0.lit: lit of an led is read-only`},
		{`set = { "controller.gpio0.alarm_in" = 2 }`, `3:9: controller.gpio0.alarm_in: "2" cannot be done to a line: use 0, 1, up or down (a pull), or float`},
		{`set = { "controller.gpio0.alarm_in" = "float" }`, ``},
		{`set = { "controller.gpio0.99" = 1 }`, `3:9: board controller: gpio0 has no line 99: its lines are 0 to 2`},
		{`set = { "lan.los" = 1 }`, `3:9: lan: there is no property "los": did you mean "loss"?`},
		{`set = { "lan.loss" = 2 }`, `3:9: lan.loss: loss is 2, outside 0 to 1`},
		{`set = { "lan.latency" = 5 }`, `3:9: lan.latency: "5" is not a duration: write a number and ns, us, ms, s, m or h, such as "50us"`},
		{`set = { "lan.snooping" = true, "lan.link" = "down", "lan:sensor.eth0.vlan" = 10, "lan:sensor.eth0.tx.latency" = "5ms" }`, ``},
		{`set = { "lan:sensor.eth0.rx.frames" = 1 }`, `3:9: lan:sensor.eth0.rx.frames: lan:sensor.eth0.rx.frames is read-only`},
		{`set = { "lan:sensr.eth0.loss" = 1 }`, `3:9: segment lan: there is no port "sensr.eth0": did you mean "sensor.eth0"?`},
		{`set = { "lan:sensor.eth0.mirror" = "controller.eth9" }`, `3:9: lan:sensor.eth0.mirror: the segment has no port "controller.eth9": did you mean "controller.eth0"?`},
		{`expect = { property = "sensor.eth0.link", equals = "off" }`, `3:43: link of an Ethernet port is "off"; it must be one of ["up" "down"]`},
		{`set = { "sensor.eth0.link" = "off" }`, `3:9: sensor.eth0.link: link is "off"; it must be one of ["up" "down"]`},
		{`expect = { console = "senso", match = "x" }`, `3:12: there is no board "senso": did you mean "sensor"?`},
		{`expect = { line = "sensor.gpio0.alrm", level = 1 }`, `3:12: board sensor: gpio0 has no line "alrm": did you mean "alarm"?`},
		{`expect = { property = "controller.uart1.sended", above = 1 }`, `3:12: a serial port has no property "sended": there are breaks, clock_error, cts, dcd, dsr, dtr, format, framing, noise, overrun, parity, rate, received, ri, rts, sent, stuck`},
		{`expect = { property = "sensor.gpio0.alarm.missed", equals = 0 }`, ``},
		{`expect = { property = "sensor.gpio0.alarm", equals = true }`, ``},
		{`expect = { property = "controller.fan0.closed", above = 0 }`, `3:49: closed of a relay is a switch, not a number to be above, below or between: use equals`},
		{`expect = { property = "controller.fan0.closed", equals = "maybe" }`, `3:49: "maybe" is not a switch position: write on or off`},
		{`expect = { property = "sensor.temp0.temperature", equals = 151 }`, `3:51: temperature of a tmp102 is 151, outside -55 to 150 °C`},
		{`expect = { property = "sensor.temp0.temperature", above = 150 }`, `3:51: temperature of a tmp102 is -55 to 150 °C, and can never be that`},
		{`expect = { property = "sensor.temp0.temperature", below = -60 }`, `3:51: temperature of a tmp102 is -55 to 150 °C, and can never be that`},
		{`expect = { property = "sensor.temp0.temperature", between = [200, 300] }`, `3:51: temperature of a tmp102 is -55 to 150 °C, and can never be that`},
		{`expect = { property = "sensor.temp0.temperature", between = [150, 300] }`, ``},
		{`expect = { property = "sensor.temp0.temperature", above = -300 }`, ``},
		{`expect = { property = "sensor.gpio0.alarm", equals = 2 }`, `3:45: gpio0.alarm is 2, outside 0 to 1`},
		{`expect = { property = "lan.loss", above = 1 }`, `3:35: lan.loss is 0 to 1, and can never be that`},
		{`expect = { property = "sensor.temp0.temperature", equals = "warm" }`, `3:51: "warm" is not a number`},
		{`expect = { property = "sensor.button0.press", equals = 1 }`, `3:12: press of a button is an action, and cannot be read`},
		{`expect = { property = "lan:sensor.eth0.tx.dropped.lost", above = 0 }`, ``},
		{`expect = { frames = "lam", from = "sensor.eth0" }`, `3:12: there is no segment "lam": did you mean "lan"?`},
		{`expect = { frames = "lan", from = "sensor.eth5" }`, `3:28: segment lan has no port "sensor.eth5": did you mean "sensor.eth0"?`},
		{`expect = { event = "gest" }`, `3:12: there is no kind of event "gest": did you mean "guest"?`},
		{`expect = { event = "guest", where = { stat = "off" } }`, `3:39: an event "guest" has no attribute "stat": did you mean "state"?`},
		{`expect = { event = "guest", where = { board = "^sens$" } }`, `3:39: there is no board that "^sens$" could match: did you mean "sensor"?`},
		{`expect = { event = "guest", where = { board = "sens", state = "(off|panic)" } }`, ``},
		{`expect = { event = "property", where = { part = "^temp9$", name = "temp" } }`, `3:42: there is no part that "^temp9$" could match: did you mean "temp0"?`},
		{`expect = { event = "property", where = { board = "^sensor$", part = "^fan0$" } }`, `3:62: there is no part that "^fan0$" could match: did you mean "lan"?`},
		{`expect = { event = "property", where = { board = "controller", part = "^fan0$" } }`, ``},
		{`expect = { event = "link", where = { part = "^alarn$" } }`, `3:38: there is no part that "^alarn$" could match: did you mean "alarm"?`},
		{`expect = { event = "guest", where = { state = "^panik$" } }`, `3:39: there is no state that "^panik$" could match: did you mean "panic"?`},
		{`expect = { event = "guest", where = { state = "panic|lost" } }`, ``},
		{`expect = { event = "gpio", where = { line = "^alrm$" } }`, `3:38: there is no line that "^alrm$" could match: did you mean "alarm"?`},
		{`expect = { event = "gpio", where = { line = "alarm", level = "2" } }`, `3:54: there is no level that "2" could match: did you mean "0"?`},
		{`expect = { event = "property", where = { name = "temprature" } }`, `3:42: there is no property that "temprature" could match: did you mean "temperature"?`},
		{`expect = { event = "frame", where = { from = "sensr.eth0" } }`, `3:39: there is no port that "sensr.eth0" could match: did you mean "sensor.eth0"?`},
		{`expect = { event = "frame.end", where = { port = "eth0", why = "lots" } }`, `3:58: there is no why that "lots" could match: did you mean "lost"?`},
		{`expect = { event = "plug", where = { state = "^plgged$" } }`, `3:38: there is no state that "^plgged$" could match: did you mean "plugged"?`},
		{`expect = { all = [{ console = "sensor", match = "x" }, { line = "sensor.gpio0.alert", edge = "rising" }] }`, ``},
		{`expect = { any = [{ console = "sensor", match = "x" }, { console = "nobody", match = "y" }] }`, `3:58: there is no board "nobody": there are controller, sensor`},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			want := tt.want
			if want != "" {
				want = "s:" + want
			}
			if diff := cmp.Diff(want, check(t, a, "appliance = 'a'\n[[step]]\n"+tt.step)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// thermal is the appliance of the thermal scenario.
func thermal(t *testing.T) *boards.Appliance {
	t.Helper()
	a, err := boards.Load("thermal/appliance.toml", catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// check reads a scenario of one step and holds it against the appliance.
func check(t *testing.T, a *boards.Appliance, text string) string {
	t.Helper()
	s, err := Parse("s", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(a); err != nil {
		return err.Error()
	}
	return ""
}

// TestRepositoryScenarios holds every scenario of the repository against its appliance.
func TestRepositoryScenarios(t *testing.T) {
	for _, file := range []string{"thermal/thermal.toml", "network/network.toml"} {
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		a, err := boards.Load(s.AppliancePath(), catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(a); err != nil {
			t.Errorf("false alarm:\n%v", err)
		}
	}
}

func TestCapturedNamesAreLeftToTheRun(t *testing.T) {
	text := `appliance = "a"
[[step]]
expect = { console = "sensor", match = '(?P<n>\d+)' }
[[step]]
set = { "sensor.temp0.temperature" = "${n}", "sensor.temp${n}.x" = 1 }
expect = { event = "guest", where = { board = "${n}" } }
[[step]]
send = { to = "controller.uart${n}", hex = "0${n}" }
`
	if got := check(t, thermal(t), text); got != "" {
		t.Errorf("false alarm:\n%s", got)
	}
}

// TestIncludedNames wants mistakes of an included file in that file, once.
func TestIncludedNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "s.toml", "appliance = 's.toml'\n[[step]]\ninclude = 'more.toml'\n[[step]]\ninclude = 'more.toml'\n")
	write(t, dir, "more.toml", "[[step]]\ncut = 'lan'\n[[step]]\nrestore = 'lam'\n")
	s, err := Load(filepath.Join(dir, "s.toml"))
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "more.toml") + `:4:1: there is no segment, link or wire "lam": did you mean "lan"?`
	if diff := cmp.Diff(want, s.Check(thermal(t)).Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestIncludes plays the steps of included files where they are included.
func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "s.toml", `appliance = "s.toml"
[[step]]
name = "twice"
include = "sub/log.toml"
repeat = 2
[[step]]
press = "b.b0"
`)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "sub/log.toml", "[[step]]\nname = 'a'\nwait = '1s'\n[[step]]\ninclude = '../deeper.toml'\n")
	write(t, dir, "deeper.toml", "[[step]]\nname = 'b'\nwait = '1s'\nrepeat = 2\n")
	s, err := Load(filepath.Join(dir, "s.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, turn := range s.turns() {
		where, err := filepath.Rel(dir, turn.where())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, turn.title+" in "+where)
	}
	want := []string{
		"twice: a (1 of 2) in sub/log.toml:1", "twice: b (1 of 2, 1 of 2) in deeper.toml:1", "twice: b (1 of 2, 2 of 2) in deeper.toml:1",
		"twice: a (2 of 2) in sub/log.toml:1", "twice: b (2 of 2, 1 of 2) in deeper.toml:1", "twice: b (2 of 2, 2 of 2) in deeper.toml:1",
		"press b.b0 in s.toml:6",
	}
	if diff := cmp.Diff(want, got); diff != "" || s.Len() != len(want) {
		t.Errorf("%d steps (-want +got):\n%s", s.Len(), diff)
	}
}

func TestIncludeMistakes(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"missing", map[string]string{"s": "[[step]]\ninclude = 'x'"}, "s:3:1: there is no file x"},
		{"a whole scenario", map[string]string{"s": "[[step]]\ninclude = 'a'", "a": "appliance = 'x'\nstpe = 1\n[[step]]\nwait = '1s'"},
			"a:1:1: appliance is for the whole scenario: it belongs in the scenario's own file, not in an included file\na:2:1: unknown key \"stpe\": did you mean \"step\"?"},
		{"itself", map[string]string{"s": "[[step]]\ninclude = 's'"}, "s:3:1: s includes itself: s, s"},
		{"in a circle", map[string]string{"s": "[[step]]\ninclude = 'a'", "a": "[[step]]\ninclude = './b'", "b": "[[step]]\ninclude = 'a'"},
			"b:2:1: a includes itself: a, b, a"},
		{"a folder", map[string]string{"s": "[[step]]\ninclude = '.'"}, "s:3:1: .: is a folder; it must be a file"},
		{"no steps", map[string]string{"s": "[[step]]\ninclude = 'a'", "a": "doc = 'x'"}, "a: the file has no steps: write a [[step]] for each"},
		{"not TOML", map[string]string{"s": "[[step]]\ninclude = 'a'", "a": "[[step"}, "a:1:6: expected '.' or ']' to end table name, but got '\\x00' instead"},
		{"an action beside", map[string]string{"s": "[[step]]\ninclude = 'a'\ncut = 'lan'", "a": "[[step]]\nwait = '1s'"}, "s:4:1: cut in a step that includes a file: write a step for each"},
		{"a mistake in it", map[string]string{"s": "[[step]]\ninclude = 'a'\n[[step]]\ninclude = 'a'", "a": "[[step]]\nexpect = { console = 'b', match = '${x}', within = '0s' }"},
			"a:2:27: no step before this one captures ${x}\na:2:43: within must be longer than 0s"},
		{"too many", map[string]string{"s": "[[step]]\ninclude = 'a'\nrepeat = 1000", "a": "[[step]]\nwait = '1s'\nrepeat = 1000"}, "s:2:3: the scenario has more than 100000 steps, with those that it repeats"},
		{"no times", map[string]string{"s": "[[step]]\nwait = '1s'\nrepeat = 0"}, "s:4:1: repeat is 0; it must be at least 1"},
		{"a time that is once", map[string]string{"s": "[[step]]\nat = '1s'\nrepeat = 2"}, "s:3:1: at in a repeated step: that time comes only once"},
		{"never in any", map[string]string{"s": "[[step]]\nexpect = { any = [{ console = 'b', match = 'x', never = true }], within = '1s' }"}, "s:3:49: never has no meaning in any: write a step for it"},
		{"beside all", map[string]string{"s": "[[step]]\nexpect = { all = [{ console = 'b', match = 'x' }], console = 'c', count = 2 }"},
			"s:3:52: console beside all: move it into one of the { } of all\ns:3:67: count beside all: move it into one of the { } of all"},
		{"all without a thing", map[string]string{"s": "[[step]]\nexpect = { all = [] }"}, "s:3:12: all is empty: give it a { } for each expected thing"},
		{"one of any captures", map[string]string{"s": "[[step]]\nexpect = { any = [{ console = 'b', match = '(?P<n>x)' }, { console = 'b', match = 'y' }] }\n[[step]]\ncut = '${n}'"},
			"s:5:1: no step before this one captures ${n}"},
		{"bytes", map[string]string{"s": "[[step]]\nsend = { to = 'b', hex = '01 3' }"}, `s:3:20: hex: "3" is not a byte: write two hexadecimal digits for each, such as "01 03 ff"`},
		{"bytes and text", map[string]string{"s": "[[step]]\nsend = { to = 'b', hex = '01', text = 'x' }"}, "s:3:20: hex in a send that has text: write a step for each"},
		{"neither", map[string]string{"s": "[[step]]\nsend = { to = 'b' }"}, "s:3:1: send needs text, or hex for bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, text := range tt.files {
				if name == "s" {
					text = "appliance = 's'\n" + text
				}
				write(t, ".", name, text)
			}
			_, err := Load("s")
			if err == nil {
				t.Fatal("nothing was found wrong")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryActionIsChecked: no kind of action takes a place that there is not, nor do they
// lack what people and programs call them.
func TestEveryActionIsChecked(t *testing.T) {
	a := thermal(t)
	for _, k := range appliance.Actions {
		if err := k.With("nobody.nothing.none", "1").Check(a, true); err == nil {
			t.Errorf("%s takes a place that there is not", k.Name)
		}
		if k.Title == "" || k.Place.Form == "" || k.Place.Doc == "" {
			t.Errorf("%s lacks a title, or how its place is written", k.Name)
		}
		if found, ok := appliance.FindAction(k.Name); !ok || found != k {
			t.Errorf("%s is not the only action of that name", k.Name)
		}
	}
}
