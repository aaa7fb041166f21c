package chips

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/button"
	"backplane/periph/chips/chiptest"
	"backplane/periph/chips/lm75"
	"backplane/periph/chips/pca9685"
	"backplane/periph/chips/pcf8574"
	"backplane/periph/i2c"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// dump is all that can be read from a chip that has just got power.
func dump(b *chiptest.Bench) []byte {
	b.T.Helper()
	target, err := i2c.TargetOf(b.Chip)
	if err != nil {
		b.T.Fatal(err)
	}
	all := make([]byte, 64) // from where the pointer is first
	if err := target.Transfer([]i2c.Msg{{Read: true, Data: all}}); err != nil {
		b.T.Fatal(err)
	}
	for r := range 256 {
		data := make([]byte, 4)
		err := target.Transfer([]i2c.Msg{{Data: []byte{byte(r)}}, {Read: true, Data: data}})
		if err != nil && !errors.Is(err, i2c.ErrNoAck) { // of a reserved register
			b.T.Fatal(err)
		}
		all = append(append(all, byte(r)), data...)
	}
	return all
}

// TestPowerLost checks of every part that, whatever a guest has written to it, it
// drives nothing without power, and is in its power-on state when that is back.
func TestPowerLost(t *testing.T) {
	keeps := map[string]bool{"at24c32": true, "ds3231": true}
	for _, m := range All {
		t.Run(m.Name, func(t *testing.T) {
			for seed := range uint64(50) {
				b, fresh := chiptest.PowerOn(t, m, nil), chiptest.PowerOn(t, m, nil)
				if onI2C(m) {
					scribble(b, seed)
				}
				b.Power(false)
				for name, p := range b.Ends {
					if d := p.Driving(); d != wire.Float && d != wire.PullDown {
						t.Fatalf("seed %d: pin %s does %d without power", seed, name, d)
					}
				}
				b.Power(true)
				for name, p := range b.Ends {
					if got, want := p.Driving(), fresh.Ends[name].Driving(); got != want {
						t.Fatalf("seed %d: pin %s does %d when power is back, want %d", seed, name, got, want)
					}
				}
				for _, s := range m.Properties {
					if got, want := s.Format(b.Chip.Get(s.Name)), s.Format(fresh.Chip.Get(s.Name)); got != want && !keeps[m.Name] {
						t.Errorf("seed %d: %s is %s, want %s", seed, s.Name, got, want)
					}
				}
				if !onI2C(m) || keeps[m.Name] {
					continue
				}
				if diff := cmp.Diff(dump(fresh), dump(b)); diff != "" {
					t.Fatalf("seed %d: what can be read (-fresh +after):\n%s", seed, diff)
				}
			}
		})
	}
}

// scribble writes by chance all over a chip's registers.
func scribble(b *chiptest.Bench, seed uint64) {
	target, _ := i2c.TargetOf(b.Chip)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		data := []byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		if r.IntN(2) == 0 {
			data[0] &= 0x0f // where most registers are
		}
		_ = target.Transfer([]i2c.Msg{{Data: data}}) // an EEPROM that writes does not answer
		b.Wait(time.Millisecond)
	}
}

func TestPowerProperties(t *testing.T) {
	tests := []struct {
		name  string
		model *periph.Model
		do    func(*chiptest.Bench)
		lost  []string
		back  []string
	}{
		{"a motor stops", pca9685.Model, func(b *chiptest.Bench) { b.Run("W 00 20", "W 06 00 00 00 08") },
			[]string{"frequency=0", "duty0=0"}, []string{"frequency=196.88760080645162"}},
		{"an expander lets go", pcf8574.Model, func(b *chiptest.Bench) { b.Run("W fe") },
			[]string{"output=255", "p1=off", "p2=off", "p3=off", "p4=off", "p5=off", "p6=off", "p7=off"},
			[]string{"p0=on", "p1=on", "p2=on", "p3=on", "p4=on", "p5=on", "p6=on", "p7=on"}},
		{"a contact to ground stays closed", button.Model, func(b *chiptest.Bench) { b.Set("pressed", periph.On(true)) }, nil, nil},
		{"a sensor stays where it is", lm75.TMP102, func(b *chiptest.Bench) { b.Set("temperature", periph.Num(60)) }, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, tt.model, nil)
			tt.do(b)
			b.Changed = nil
			b.Power(false)
			if diff := cmp.Diff(tt.lost, b.Changed); diff != "" {
				t.Errorf("changes when power is lost (-want +got):\n%s", diff)
			}
			b.Changed = nil
			b.Power(true)
			if diff := cmp.Diff(tt.back, b.Changed); diff != "" {
				t.Errorf("changes when it is back (-want +got):\n%s", diff)
			}
		})
	}
}
