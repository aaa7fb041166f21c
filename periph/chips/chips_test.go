package chips

import (
	"errors"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
)

// TestAll checks what every entry of the catalog has to have.
func TestAll(t *testing.T) {
	names := make(map[string]bool)
	for _, m := range All {
		t.Run(m.Name, func(t *testing.T) {
			if names[m.Name] {
				t.Error("there are two of that name")
			}
			names[m.Name] = true
			if m.Title == "" || m.Source == "" {
				t.Errorf("title %q and source %q: neither may be empty", m.Title, m.Source)
			}
			if len(m.On) == 0 {
				t.Error("it can hang on nothing")
			}
			specs := make(map[string]bool)
			for _, s := range append(append([]periph.Spec(nil), m.Properties...), m.Options...) {
				if specs[s.Name] {
					t.Errorf("there are two %s", s.Name)
				}
				specs[s.Name] = true
				if err := s.Check(s.Default); err != nil {
					t.Errorf("default: %v", err)
				}
				if s.Doc == "" {
					t.Errorf("%s has no doc", s.Name)
				}
			}
			if b := powerOn(t, m, nil); onI2C(m) {
				if _, err := i2c.TargetOf(b.chip); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func onI2C(m *periph.Model) bool {
	_, ok := m.Mount(i2c.BusName)
	return ok
}

// fuzzMessages cuts bytes into transactions: each message is a byte that has a
// bit for a read, one for a STOP after it, one for some time after that, and a
// length, and then the bytes.
func fuzzMessages(data []byte, transfer func([]i2c.Msg), wait func()) {
	var msgs []i2c.Msg
	for len(data) > 0 {
		head := data[0]
		n := min(int(head&0x1f), len(data)-1)
		msgs = append(msgs, i2c.Msg{Read: head&0x80 != 0, Data: append([]byte(nil), data[1:1+n]...)})
		if data = data[1+n:]; head&0x40 != 0 || len(data) == 0 {
			transfer(msgs)
			msgs = nil
		}
		if head&0x20 != 0 {
			wait()
		}
	}
}

// FuzzTransfer sends any messages to a part on I2C, with time in between: it
// answers or does not acknowledge, and neither panics nor fails otherwise.
func FuzzTransfer(f *testing.F) {
	var models []*periph.Model
	for _, m := range All {
		if onI2C(m) {
			models = append(models, m)
		}
	}
	for i := range models {
		f.Add(uint8(i), []byte("\x03\x00\x01\x02\xe2\x00\x00"))
		f.Add(uint8(i), []byte("\x01\xff\xff0123456789abcdef0123456789abcde\x40\x80"))
		f.Add(uint8(i), []byte("\x4b\x07\x80\x80\x80\x80\x80\x80\x80\x1f\x00\x00\x69\x00\x75\x99\xff\x07\x3f\x1f\xff\xff"))
	}
	f.Fuzz(func(t *testing.T, model uint8, data []byte) {
		m := models[int(model)%len(models)]
		b := powerOn(t, m, nil)
		target, err := i2c.TargetOf(b.chip)
		if err != nil {
			t.Fatal(err)
		}
		fuzzMessages(data, func(msgs []i2c.Msg) {
			if err := target.Transfer(msgs); err != nil && !errors.Is(err, i2c.ErrNoAck) {
				t.Errorf("%s: transfer %q: %v", m.Name, i2c.Format(msgs), err)
			}
		}, func() { b.wait(2 * time.Second) })
		for _, s := range m.Properties {
			if s.Kind != periph.Action {
				s.Format(b.chip.Get(s.Name))
			}
		}
	})
}
