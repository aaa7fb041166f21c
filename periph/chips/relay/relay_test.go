package relay

import (
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

func TestRelay(t *testing.T) {
	type step struct {
		level wire.Level
		hold  time.Duration
	}
	const ms = time.Millisecond
	tests := []struct {
		name   string
		values map[string]periph.Value
		steps  []step
		want   []string
	}{
		{"at rest", nil, []step{{wire.Low, time.Second}}, nil},
		{"before the operate time", nil, []step{{wire.High, 5*ms - 1}}, nil},
		{"closes", nil, []step{{wire.High, 5*ms + 1}}, []string{"closed=on", "switched=1"}},
		{"closes and opens", nil, []step{{wire.High, 10 * ms}, {wire.Low, 10 * ms}},
			[]string{"closed=on", "switched=1", "closed=off", "switched=2"}},
		{"a pulse is too short", nil, []step{{wire.High, 4 * ms}, {wire.Low, 10 * ms}}, nil},
		{"a gap is too short", nil, []step{{wire.High, 10 * ms}, {wire.Low, 4 * ms}, {wire.High, 10 * ms}},
			[]string{"closed=on", "switched=1"}},
		{"active low at rest", map[string]periph.Value{"active_low": periph.On(true)}, []step{{wire.High, time.Second}}, nil},
		{"active low", map[string]periph.Value{"active_low": periph.On(true)}, []step{{wire.Low, 5*ms + 1}}, []string{"closed=on", "switched=1"}},
		{"slower", map[string]periph.Value{"delay": periph.Num(20)}, []step{{wire.High, 19 * ms}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, tt.values)
			for _, s := range tt.steps {
				b.Drive("in", s.level)
				b.Wait(s.hold)
			}
			if diff := cmp.Diff(tt.want, b.Changed); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if got, want := b.Chip.Get("switched").Int(), len(tt.want)/2; got != want {
				t.Errorf("switched is %d, want %d", got, want)
			}
			if got, want := b.Chip.Get("closed").Bool(), len(tt.want)/2%2 == 1; got != want {
				t.Errorf("closed is %v, want %v", got, want)
			}
		})
	}
}

func TestPower(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"active_low": periph.On(true)})
	b.Drive("in", wire.Low)
	b.Wait(time.Second)
	b.Power(false)
	b.Wait(time.Second)
	if b.Chip.Get("closed").Bool() || b.Chip.Get("switched").Int() != 2 {
		t.Errorf("a relay without power: %v", b.Changed)
	}
}
