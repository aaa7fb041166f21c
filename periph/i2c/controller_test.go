package i2c_test

import (
	"context"
	"encoding/binary"
	"testing"

	"backplane/periph/i2c"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
)

// memory is a target with a pointer and 16 bytes; it refuses pointer 0xff.
type memory struct {
	pointer byte
	data    [16]byte
}

func (m *memory) Transfer(msgs []i2c.Msg) error {
	for _, msg := range msgs {
		for i, b := range msg.Data {
			switch {
			case msg.Read:
				msg.Data[i] = m.data[m.pointer%16]
				m.pointer++
			case i == 0 && b == 0xff:
				return i2c.ErrNoAck
			case i == 0:
				m.pointer = b
			default:
				m.data[m.pointer%16] = b
				m.pointer++
			}
		}
	}
	return nil
}

// header is struct virtio_i2c_out_hdr.
func header(addr uint8, flags uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(addr)<<1)
	return binary.LittleEndian.AppendUint32(append(b, 0, 0), flags)
}

const failNext, read = 1, 2

func TestTransfers(t *testing.T) {
	c := i2c.NewController("i2c1")
	m := &memory{}
	if err := c.Attach(0x50, m); err != nil {
		t.Fatal(err)
	}
	var seen []string
	c.OnTransfer = func(addr uint8, msgs []i2c.Msg, err error) {
		text := i2c.Format(msgs)
		if err != nil {
			text += " !"
		}
		seen = append(seen, text)
	}
	d := virtiotest.Start(t, c, 32, 0)
	r := d.Rings[0]
	r.Add([][]byte{header(0x50, 0), {3, 0xaa, 0xbb}}, []int{1})
	r.Add([][]byte{header(0x50, failNext), {3}}, []int{1}) // with the next one, a register read
	r.Add([][]byte{header(0x50, read)}, []int{2, 1})
	r.Add([][]byte{header(0x51, 0), {0}}, []int{1}) // nobody's address
	r.Add([][]byte{header(0x50, 0), {0xff}}, []int{1})
	r.Add([][]byte{header(0x50, 0)}, []int{1}) // a probe
	d.Kick(0)
	if d.Failure != nil {
		t.Fatal(d.Failure)
	}
	var got []string
	for _, u := range r.Results() {
		got = append(got, string(u.In[len(u.In)-1]))
		if len(u.In) == 2 && string(u.In[0]) != "\xaa\xbb" {
			t.Errorf("read %x, want aabb", u.In[0])
		}
	}
	want := []string{"\x00", "\x00", "\x00", "\x01", "\x01", "\x00"}
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("status of request %d is %x, want %x", i, got[i], want[i])
		}
	}
	wantSeen := []string{"W 03 aa bb", "W 03 R aa bb", "W 00 !", "W ff !", "W"}
	for i := range wantSeen {
		if i >= len(seen) || seen[i] != wantSeen[i] {
			t.Fatalf("on the bus: %q, want %q", seen, wantSeen)
		}
	}
	if d.Interrupts[0] != 1 {
		t.Errorf("%d interrupts for one kick, want 1", d.Interrupts[0])
	}
}

// TestBusTime: a transaction takes its bits' time on a bus with a clock.
func TestBusTime(t *testing.T) {
	cal := simbus.NewVirtual()
	defer cal.Close()
	domain, err := cal.AddDomain("b")
	if err != nil {
		t.Fatal(err)
	}
	c := i2c.NewController("i2c1")
	c.Clock, c.Frequency = domain, 100_000
	if err := c.Attach(0x50, &memory{}); err != nil {
		t.Fatal(err)
	}
	var at simbus.Time
	c.OnTransfer = func(uint8, []i2c.Msg, error) { at = domain.Now() }
	d := virtiotest.Start(t, c, 16, 0)
	d.Rings[0].Add([][]byte{header(0x50, 0), {1, 2}}, []int{1})
	d.Kick(0)
	if len(d.Rings[0].Results()) != 0 {
		t.Fatal("it took no time")
	}
	if _, err := cal.Advance(context.Background(), 1e9, nil); err != nil {
		t.Fatal(err)
	}
	if want := simbus.Time(290_000); at != want { // START, three bytes of nine bits, STOP, at 10 us a bit
		t.Errorf("it was over at %s, want %s", at, want)
	}
	if len(d.Rings[0].Results()) != 1 {
		t.Error("no answer")
	}
}

func TestAttach(t *testing.T) {
	c := i2c.NewController("i2c1")
	for _, step := range []struct {
		addr uint8
		ok   bool
	}{{0x07, false}, {0x08, true}, {0x08, false}, {0x77, true}, {0x78, false}} {
		if err := c.Attach(step.addr, &memory{}); (err == nil) != step.ok {
			t.Errorf("attach at %#02x: %v", step.addr, err)
		}
	}
}
