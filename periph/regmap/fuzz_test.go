package regmap

import (
	"errors"
	"testing"

	"backplane/periph/i2c"
)

// FuzzRegmapTransfer sends transactions from bytes: one that says whether the
// message is a read and how long it is, and then what it writes.
func FuzzRegmapTransfer(f *testing.F) {
	f.Add(uint8(0), []byte{0x01, 0x00, 0x84})
	f.Add(uint8(3), []byte{0x04, 0x02, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(7), []byte{0x02, 0xff, 0xff, 0x88, 0x00})
	f.Fuzz(func(t *testing.T, variant uint8, bytes []byte) {
		above, increment := 30.0, variant&1 == 0
		m := thermometer()
		m.AutoIncrement = &increment
		if variant&2 != 0 {
			m.Addressing = byByte
			for i := range m.Register {
				m.Register[i].Address *= 4
			}
		}
		if variant&4 != 0 {
			m.AddressWidth = 16
		}
		m.Register[1].Access = []string{readWrite, writeOnly, write1ToClear, readToClear}[variant>>3&3]
		m.Threshold = []Threshold{{Pin: "alert", Property: "temperature", Above: &above}}
		b := powerOn(t, m, nil)

		var msgs []i2c.Msg
		for len(bytes) > 0 {
			head, n := bytes[0], int(bytes[0]&0x1f)
			bytes = bytes[1:]
			if head&0x80 != 0 {
				msgs = append(msgs, i2c.Msg{Read: true, Data: make([]byte, n)})
				continue
			}
			n = min(n, len(bytes))
			msgs = append(msgs, i2c.Msg{Data: bytes[:n]})
			bytes = bytes[n:]
		}
		if err := b.target().Transfer(msgs); err != nil && !errors.Is(err, i2c.ErrNoAck) {
			t.Errorf("transfer: %v", err)
		}
		b.get("temperature", 25) // read only
		for _, spec := range b.model.Properties {
			if err := spec.Check(b.chip.Get(spec.Name)); err != nil {
				t.Error(err)
			}
		}
	})
}
