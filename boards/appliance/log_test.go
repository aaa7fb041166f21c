package appliance

import (
	"testing"

	"backplane/simbus"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// board is one of an appliance that is logged, at 7 ns.
func loggedBoard(t *testing.T, level zapcore.Level) (*Machine, *observer.ObservedLogs) {
	t.Helper()
	cal := simbus.NewVirtual()
	t.Cleanup(cal.Close)
	d, err := cal.AddDomain("sensor")
	if err != nil {
		t.Fatal(err)
	}
	core, seen := observer.New(level)
	return &Machine{name: "sensor", domain: d, log: zap.New(core)}, seen
}

// TestStatesAreLogged: what is bad is more than a note.
func TestStatesAreLogged(t *testing.T) {
	m, seen := loggedBoard(t, zap.DebugLevel)
	for state, level := range map[string]zapcore.Level{StateBooting: zap.InfoLevel, StateUp: zap.InfoLevel, StateOff: zap.InfoLevel,
		StatePanic: zap.ErrorLevel, StateLost: zap.ErrorLevel, StateStuck: zap.WarnLevel, StateIncomplete: zap.WarnLevel} {
		m.tellState(state, "why")
		m.tellState(state, "")
		for i, e := range seen.TakeAll() {
			want := map[string]any{"t": m.domain.Now().Sub(0), "state": state}
			if i == 0 {
				want["detail"] = "why"
			}
			if d := cmp.Diff(want, e.ContextMap()); e.Level != level || e.Message != "state" || d != "" {
				t.Errorf("%s: %v %s", state, e.Level, d)
			}
		}
	}
}

// TestFaultsAreLogged: with the part, if it is one's.
func TestFaultsAreLogged(t *testing.T) {
	m, seen := loggedBoard(t, zap.WarnLevel)
	m.fault("gpio0", "conflict")
	m.fault("", "stranger")
	var got []map[string]any
	for _, e := range seen.TakeAll() {
		got = append(got, e.ContextMap())
	}
	now := m.domain.Now().Sub(0)
	if d := cmp.Diff([]map[string]any{{"t": now, "part": "gpio0", "error": "conflict"}, {"t": now, "error": "stranger"}}, got); d != "" {
		t.Error(d)
	}
}

// TestDeedsOfGatewaysAreLogged: all for who asks for it, else only what boards do not get;
// what nobody wants costs nothing.
func TestDeedsOfGatewaysAreLogged(t *testing.T) {
	dns := []simbus.Attr{simbus.Text("action", "dns"), simbus.Text("name", "example.org")}
	refused := []simbus.Attr{simbus.Text("action", "refused"), simbus.Text("detail", "not allowed")}
	closed := []simbus.Attr{simbus.Text("action", "closed"), simbus.Int("sent", 1<<40)}
	for level, want := range map[zapcore.Level]int{zap.DebugLevel: 3, zap.InfoLevel: 1, zap.WarnLevel: 0} {
		m, seen := loggedBoard(t, level)
		p := &gatewayPort{name: "uplink", domain: m.domain, log: m.log}
		for _, attrs := range [][]simbus.Attr{dns, refused, closed} {
			p.logDeed(attrs)
		}
		all := seen.TakeAll()
		if len(all) != want {
			t.Errorf("%s: %d lines, not %d", level, len(all), want)
		}
		if level == zap.DebugLevel && all[2].ContextMap()["sent"] != int64(1<<40) {
			t.Errorf("a number is %v", all[2].ContextMap())
		}
	}
	m, _ := loggedBoard(t, zap.WarnLevel)
	p := &gatewayPort{domain: m.domain, log: m.log}
	if n := testing.AllocsPerRun(100, func() { p.logDeed(dns) }); n > 0 {
		t.Errorf("a line that nobody wants takes %v allocations", n)
	}
}
