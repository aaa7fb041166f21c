package chips

import (
	"errors"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/periph/i2c"
	"backplane/periph/spi"
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
			b := chiptest.PowerOn(t, m, nil)
			if onI2C(m) {
				if _, err := i2c.TargetOf(b.Chip); err != nil {
					t.Error(err)
				}
			}
			if onSPI(m) {
				if _, err := spi.TargetOf(b.Chip); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// modelsThat are the models of the catalog that a test is for.
func modelsThat(is func(*periph.Model) bool) (models []*periph.Model) {
	for _, m := range All {
		if is(m) {
			models = append(models, m)
		}
	}
	return models
}

func onI2C(m *periph.Model) bool {
	_, ok := m.Mount(i2c.BusName)
	return ok
}

func onSPI(m *periph.Model) bool {
	_, ok := m.Mount(spi.BusName)
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
	models := modelsThat(onI2C)
	for i := range models {
		f.Add(uint8(i), []byte("\x03\x00\x01\x02\xe2\x00\x00"))
		f.Add(uint8(i), []byte("\x01\xff\xff0123456789abcdef0123456789abcde\x40\x80"))
		f.Add(uint8(i), []byte("\x4b\x07\x80\x80\x80\x80\x80\x80\x80\x1f\x00\x00\x69\x00\x75\x99\xff\x07\x3f\x1f\xff\xff"))
	}
	f.Fuzz(func(t *testing.T, model uint8, data []byte) {
		m := models[int(model)%len(models)]
		b := chiptest.PowerOn(t, m, nil)
		target, err := i2c.TargetOf(b.Chip)
		if err != nil {
			t.Fatal(err)
		}
		fuzzMessages(data, func(msgs []i2c.Msg) {
			if err := target.Transfer(msgs); err != nil && !errors.Is(err, i2c.ErrNoAck) {
				t.Errorf("%s: transfer %q: %v", m.Name, i2c.Format(msgs), err)
			}
		}, func() { b.Wait(2 * time.Second) })
		for _, s := range m.Properties {
			if s.Kind != periph.Action {
				s.Format(b.Chip.Get(s.Name))
			}
		}
	})
}

// FuzzExchange sends any selections to a part on SPI, with power cuts and time in between.
// Each is a byte that has a bit for the end of the selection, one for some time after that,
// one for a power cut, and a length, and then the bytes.
func FuzzExchange(f *testing.F) {
	models := modelsThat(onSPI)
	for i := range models {
		f.Add(uint8(i), []byte("\x81\x06\xc5\x02\x00\x01\xfe\x55\x81\x06\xa4\x20\x00\x00\x00\x04\x03\x00\x00\x00\x9f"))
		f.Add(uint8(i), []byte("\x84\x72\x05\x74\x27\xc1\xf7\x9f\xf7\x82\x60\xb6\x81\x66\x81\x99\x85\x5a\xff\xff\xff\xff"))
	}
	f.Fuzz(func(t *testing.T, model uint8, data []byte) {
		m := models[int(model)%len(models)]
		b := chiptest.PowerOn(t, m, nil)
		b.Wait(10 * time.Millisecond)
		target, err := spi.TargetOf(b.Chip)
		if err != nil {
			t.Fatal(err)
		}
		for selected := false; len(data) > 0; {
			head := data[0]
			n := min(int(head&0x1f), len(data)-1)
			if !selected {
				target.Select()
			}
			target.Exchange(append([]byte(nil), data[1:1+n]...), make([]byte, n), max(0, 8*n-int(head&0x20)/0x20))
			data = data[1+n:]
			if selected = head&0x80 == 0; !selected {
				target.Deselect()
			}
			if head&0x40 != 0 {
				b.Wait(time.Duration(n) * time.Millisecond)
			}
			if head&0x60 == 0x60 {
				b.Power(false)
				b.Power(true)
				selected = false
			}
		}
		for _, s := range m.Properties {
			s.Format(b.Chip.Get(s.Name))
		}
	})
}
