package net_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"backplane/periph/net"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/ether"

	"golang.org/x/sys/unix"
)

// two is two NICs on a segment in virtual time.
func two(t *testing.T) (cal *simbus.Calendar, d [2]*virtiotest.Driver, nics [2]*net.NIC) {
	t.Helper()
	cal = simbus.NewVirtual()
	t.Cleanup(cal.Close)
	seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range d {
		domain, err := cal.AddDomain("b")
		if err != nil {
			t.Fatal(err)
		}
		nics[i] = net.New("eth0", []byte{2, 0, 0, 0, 0, byte(i)})
		nics[i].Port = seg.AddPort("b.eth0", domain, nics[i].Receive)
		d[i] = virtiotest.Start(t, nics[i], 16, virtio.FeatureEventIdx)
	}
	return cal, d, nics
}

func frame(n int) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0x88, 0xb5}, bytes.Repeat([]byte("0123456789"), n/10+1)...)
	return f[:n]
}

func advance(t *testing.T, cal *simbus.Calendar) {
	t.Helper()
	if _, err := cal.Advance(context.Background(), cal.Now().Add(1e9), nil); err != nil {
		t.Fatal(err)
	}
}

func TestFrames(t *testing.T) {
	cal, d, _ := two(t)
	for range 8 {
		d[1].Rings[0].Add(nil, []int{700})
	}
	d[1].Kick(0)
	// A frame in three parts, over three receive buffers.
	f := frame(1514)
	d[0].Rings[1].Add([][]byte{make([]byte, 12), f[:100], f[100:]}, nil)
	d[0].Kick(1)
	if len(d[0].Rings[1].Results()) != 1 {
		t.Error("the sender's buffer did not come back")
	}
	advance(t, cal)
	var got []byte
	results := d[1].Rings[0].Results()
	for _, u := range results {
		got = append(got, u.Bytes()...)
	}
	if len(results) != 3 || got[10] != 3 || !bytes.Equal(got[12:], f) {
		t.Errorf("%d buffers, which say %d, with %d bytes: want 3, 3, and the frame behind a header", len(results), got[10], len(got))
	}
	if d[1].Interrupts[0] != 1 {
		t.Errorf("%d interrupts, want 1", d[1].Interrupts[0])
	}
}

// TestBacklog: frames wait for a guest that has no buffers, and come in order.
func TestBacklog(t *testing.T) {
	cal, d, _ := two(t)
	for i := range 3 {
		d[0].Rings[1].Add([][]byte{make([]byte, 12), append(frame(60), byte(i))}, nil)
	}
	d[0].Kick(1)
	advance(t, cal)
	for range 3 {
		d[1].Rings[0].Add(nil, []int{200})
	}
	d[1].Kick(0)
	r := d[1].Rings[0].Results()
	if len(r) != 3 {
		t.Fatalf("%d frames, want 3", len(r))
	}
	for i, u := range r {
		if b := u.Bytes(); b[len(b)-1] != byte(i) {
			t.Errorf("frame %d came as number %d", b[len(b)-1], i)
		}
	}
}

func TestLinkDown(t *testing.T) {
	cal, d, nics := two(t)
	changed := 0
	nics[1].ConfigChanged = func() { changed++ }
	nics[1].SetLink(false)
	nics[1].SetLink(false)
	if c := nics[1].Config(); changed != 1 || c[6] != 0 {
		t.Errorf("link down: told %d times, status %d", changed, c[6])
	}
	d[1].Rings[0].Add(nil, []int{200})
	d[1].Kick(0)
	d[0].Rings[1].Add([][]byte{make([]byte, 12), frame(60)}, nil)
	d[0].Kick(1)
	advance(t, cal)
	if n := len(d[1].Rings[0].Results()); n != 0 {
		t.Errorf("%d frames came over a link that is down", n)
	}
}

func TestHostileBuffers(t *testing.T) {
	for name, do := range map[string]func(d *virtiotest.Driver){
		"no header":       func(d *virtiotest.Driver) { d.Rings[1].Add([][]byte{make([]byte, 5)}, nil); d.Kick(1) },
		"room in a frame": func(d *virtiotest.Driver) { d.Rings[1].Add([][]byte{make([]byte, 80)}, []int{5}); d.Kick(1) },
		"offload not negotiated": func(d *virtiotest.Driver) {
			d.Rings[1].Add([][]byte{append([]byte{1}, make([]byte, 80)...)}, nil)
			d.Kick(1)
		},
	} {
		_, d, _ := two(t)
		do(d[0])
		if d[0].Failure == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestBrokenReceiver: a receiver that breaks its rings, or takes its memory
// away, is stopped; its sender, on whose goroutine that is found, is not.
func TestBrokenReceiver(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, d *virtiotest.Driver){
		"buffer to read": func(_ *testing.T, d *virtiotest.Driver) { d.Rings[0].Add([][]byte{make([]byte, 80)}, nil) },
		"memory cut short": func(t *testing.T, d *virtiotest.Driver) {
			d.Rings[0].Add(nil, []int{200})
			if err := unix.Ftruncate(d.Memory.FD, 0); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cal := simbus.NewReal()
			defer cal.Close()
			seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
			if err != nil {
				t.Fatal(err)
			}
			var boards [2]*simbus.Domain
			var d [2]*virtiotest.Driver
			for i := range d {
				if boards[i], err = cal.AddDomain("b"); err != nil {
					t.Fatal(err)
				}
				nic := net.New("eth0", []byte{2, 0, 0, 0, 0, byte(i)})
				nic.Port = seg.AddPort("b.eth0", boards[i], nic.Receive)
				boards[i].Do(func() { d[i] = virtiotest.Start(t, nic, 16, virtio.FeatureEventIdx) })
			}
			boards[1].Do(func() { spoil(t, d[1]) })
			boards[0].Do(func() {
				d[0].Rings[1].Add([][]byte{make([]byte, 12), frame(60)}, nil)
				d[0].Kick(1)
			})
			boards[1].Do(func() {
				if d[1].Failure == nil {
					t.Error("the receiver was not stopped")
				}
			})
			boards[0].Do(func() {
				if d[0].Failure != nil || len(d[0].Rings[1].Results()) != 1 {
					t.Errorf("the sender was stopped: %v", d[0].Failure)
				}
			})
		})
	}
}

// TestShortFrame: a port pads what is too short for a wire.
func TestShortFrame(t *testing.T) {
	cal, d, _ := two(t)
	d[1].Rings[0].Add(nil, []int{200})
	d[1].Kick(0)
	d[0].Rings[1].Add([][]byte{make([]byte, 12), frame(14)}, nil)
	d[0].Kick(1)
	advance(t, cal)
	r := d[1].Rings[0].Results()
	if len(r) != 1 {
		t.Fatalf("%d frames, want 1", len(r))
	}
	if got := r[0].Bytes()[12:]; !bytes.Equal(got, append(frame(14), make([]byte, 46)...)) {
		t.Errorf("got % x, want 60 bytes", got)
	}
}

// TestSpeed reads what a driver does of struct virtio_net_config.
func TestSpeed(t *testing.T) {
	n := net.New("eth0", []byte{2, 0, 0, 0, 0, 0})
	if n.Features()&(1<<63) == 0 {
		t.Error("VIRTIO_NET_F_SPEED_DUPLEX is not offered")
	}
	read := func() (speed uint32, duplex byte) {
		c := n.Config()
		return binary.LittleEndian.Uint32(c[12:]), c[16]
	}
	for _, c := range []struct {
		bits  int64
		speed uint32
	}{{100_000_000, 100}, {9600, 1}, {1 << 62, 0x7fffffff}} {
		n.SetSpeed(c.bits)
		if speed, duplex := read(); speed != c.speed || duplex != 1 {
			t.Errorf("%d bits a second: %d Mbit/s, duplex %d", c.bits, speed, duplex)
		}
	}
	n.SetLink(false)
	if speed, duplex := read(); speed != 0xffffffff || duplex != 0xff {
		t.Errorf("without a link: %d Mbit/s, duplex %d, want both unknown", speed, duplex)
	}
}
