package chips

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// dump is all that can be read from a chip that has just got power.
func (b *bench) dump() []byte {
	b.t.Helper()
	target, err := i2c.TargetOf(b.chip)
	if err != nil {
		b.t.Fatal(err)
	}
	all := make([]byte, 64) // from where the pointer is first
	if err := target.Transfer([]i2c.Msg{{Read: true, Data: all}}); err != nil {
		b.t.Fatal(err)
	}
	for r := range 256 {
		data := make([]byte, 4)
		err := target.Transfer([]i2c.Msg{{Data: []byte{byte(r)}}, {Read: true, Data: data}})
		if err != nil && !errors.Is(err, i2c.ErrNoAck) { // of a reserved register
			b.t.Fatal(err)
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
				b, fresh := powerOn(t, m, nil), powerOn(t, m, nil)
				if onI2C(m) {
					scribble(b, seed)
				}
				b.power(false)
				for name, p := range b.ends {
					if d := p.Driving(); d != wire.Float && d != wire.PullDown {
						t.Fatalf("seed %d: pin %s does %d without power", seed, name, d)
					}
				}
				b.power(true)
				for name, p := range b.ends {
					if got, want := p.Driving(), fresh.ends[name].Driving(); got != want {
						t.Fatalf("seed %d: pin %s does %d when power is back, want %d", seed, name, got, want)
					}
				}
				for _, s := range m.Properties {
					if got, want := s.Format(b.chip.Get(s.Name)), s.Format(fresh.chip.Get(s.Name)); got != want && !keeps[m.Name] {
						t.Errorf("seed %d: %s is %s, want %s", seed, s.Name, got, want)
					}
				}
				if !onI2C(m) || keeps[m.Name] {
					continue
				}
				if diff := cmp.Diff(fresh.dump(), b.dump()); diff != "" {
					t.Fatalf("seed %d: what can be read (-fresh +after):\n%s", seed, diff)
				}
			}
		})
	}
}

// scribble writes by chance all over a chip's registers.
func scribble(b *bench, seed uint64) {
	target, _ := i2c.TargetOf(b.chip)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		data := []byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		if r.IntN(2) == 0 {
			data[0] &= 0x0f // where most registers are
		}
		_ = target.Transfer([]i2c.Msg{{Data: data}}) // an EEPROM that writes does not answer
		b.wait(time.Millisecond)
	}
}

func TestPowerProperties(t *testing.T) {
	tests := []struct {
		name  string
		model *periph.Model
		do    func(*bench)
		lost  []string
		back  []string
	}{
		{"a motor stops", pca9685, func(b *bench) { b.run("W 00 20", "W 06 00 00 00 08") },
			[]string{"frequency=0", "duty0=0"}, []string{"frequency=196.88760080645162"}},
		{"an expander lets go", pcf8574, func(b *bench) { b.run("W fe") },
			[]string{"output=255", "p1=off", "p2=off", "p3=off", "p4=off", "p5=off", "p6=off", "p7=off"},
			[]string{"p0=on", "p1=on", "p2=on", "p3=on", "p4=on", "p5=on", "p6=on", "p7=on"}},
		{"a contact to ground stays closed", button, func(b *bench) { b.set("pressed", periph.On(true)) }, nil, nil},
		{"a sensor stays where it is", tmp102, func(b *bench) { b.set("temperature", periph.Num(60)) }, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := powerOn(t, tt.model, nil)
			tt.do(b)
			b.changed = nil
			b.power(false)
			if diff := cmp.Diff(tt.lost, b.changed); diff != "" {
				t.Errorf("changes when power is lost (-want +got):\n%s", diff)
			}
			b.changed = nil
			b.power(true)
			if diff := cmp.Diff(tt.back, b.changed); diff != "" {
				t.Errorf("changes when it is back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPowerWorld checks that what the outside sets without power is there when it is back.
func TestPowerWorld(t *testing.T) {
	b := powerOn(t, tmp102, nil)
	b.run("W 01 61 a0") // shut down
	b.power(false)
	b.set("temperature", periph.Num(60))
	if got := b.ends["alert"].Driving(); got != wire.Float {
		t.Errorf("alert does %d without power", got)
	}
	b.power(true)
	b.run("W 01 R 60 a0", "W 00 R 3c 00")
}

func TestPowerLoads(t *testing.T) {
	b := powerOn(t, led, map[string]periph.Value{"active_low": periph.On(true)})
	b.drive("in", wire.Low)
	b.power(false)
	if diff := cmp.Diff([]string{"lit=on", "lit=off"}, b.changed); diff != "" {
		t.Errorf("an LED between supply and line (-want +got):\n%s", diff)
	}
	b = powerOn(t, relay, map[string]periph.Value{"active_low": periph.On(true)})
	b.drive("in", wire.Low)
	b.wait(time.Second)
	b.power(false)
	b.wait(time.Second)
	if b.chip.Get("closed").Bool() || b.chip.Get("switched").Int() != 2 {
		t.Errorf("a relay without power: %v", b.changed)
	}
}

func TestPowerDS3231(t *testing.T) {
	set := "W 00 09 08 07 02 06 05 30"
	b := powerOn(t, ds3231, nil)
	b.run(set, "W 07 14 08 07 06", "W 0e 05", "W 0f 00")
	b.power(false)
	b.wait(4 * time.Second)
	if got := b.ends["int"].Driving(); got != wire.Float {
		t.Errorf("INT does %d before its alarm", got)
	}
	b.wait(2 * time.Second)
	if got := b.ends["int"].Driving(); got != wire.DriveLow {
		t.Errorf("INT does %d at its alarm, on the battery", got)
	}
	b.power(true)
	b.run("W 00 R 15 08 07 02 06 05 30 14 08 07 06 00 00 00 05 01 00")

	b = powerOn(t, ds3231, nil)
	b.run(set, "W 0e 84", "W 0f 00")
	b.power(false)
	b.wait(time.Hour)
	b.power(true)
	b.run("W 00 R 09 08 07 02 06 05 30", "W 0f R 80") // EOSC: it stood, and says so

	b = powerOn(t, ds3231, map[string]periph.Value{"lost_power": periph.On(true)})
	b.run(set, "W 0f 00")
	b.power(false)
	b.wait(time.Hour)
	b.power(true)
	b.run("W 00 R 00 00 00 01 01 01 00", "W 0f R 88")
}

func TestPowerAT24C32(t *testing.T) {
	file := filepath.Join(t.TempDir(), "eeprom.bin")
	page := bytes.Repeat([]byte{0x0f}, at24c32Page)
	torn := func(after time.Duration) []byte {
		_ = os.Remove(file)
		b := powerOn(t, at24c32, map[string]periph.Value{"file": periph.Str(file)})
		target, _ := i2c.TargetOf(b.chip)
		for _, data := range [][]byte{page, bytes.Repeat([]byte{0xf0}, at24c32Page)} {
			if err := target.Transfer([]i2c.Msg{{Data: append([]byte{0, 0x40}, data...)}}); err != nil {
				t.Fatal(err)
			}
			if data[0] == 0x0f {
				b.wait(at24c32Cycle + 1)
			}
		}
		b.wait(after)
		b.power(false)
		if got := b.chip.Get("writes").Int(); got != 2 {
			t.Errorf("writes is %d", got)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.power(true)
		b.run("R ff") // the address counter begins anew
		if n := b.chip.Get("writes").Int(); n != 0 {
			t.Errorf("writes is %d since power-on", n)
		}
		if rest := append(got[:0x40:0x40], got[0x60:]...); !bytes.Equal(rest, bytes.Repeat([]byte{0xff}, len(rest))) {
			t.Error("other pages have changed")
		}
		return got[0x40:0x60]
	}
	early, late, done := torn(time.Millisecond), torn(4*time.Millisecond), torn(at24c32Cycle+1)
	if !bytes.Equal(early, torn(time.Millisecond)) {
		t.Error("the same run tears the write differently")
	}
	for i := range early {
		if early[i]&0x0f != 0x0f || late[i]&0xf0 != 0xf0 || done[i] != 0xf0 {
			t.Errorf("byte %d: %#x while it was erased, %#x while it was programmed, %#x later", i, early[i], late[i], done[i])
		}
	}
	if bytes.Equal(early, page) || bytes.Equal(late, done) {
		t.Errorf("nothing is torn: %x, %x", early, late)
	}
}
