package net_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"backplane/periph/net"
	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"
	"backplane/simbus/ether"
)

// table is struct virtio_net_ctrl_mac.
func table(addresses ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(addresses)))
	for _, a := range addresses {
		b = append(b, a...)
	}
	return b
}

func command(class, command byte, data ...[]byte) []byte {
	return append([]byte{class, command}, bytes.Join(data, nil)...)
}

const (
	own   = "\x02\x00\x00\x00\x00\x01"
	other = "\x02\x00\x00\x00\x00\x07"
	group = "\x01\x00\x5e\x00\x00\x01"
	all   = "\xff\xff\xff\xff\xff\xff"
)

// TestFilter: a NIC takes what its driver has asked for.
func TestFilter(t *testing.T) {
	noPromiscuous := command(0, 0, []byte{0})
	for name, tt := range map[string]struct {
		commands [][]byte
		want     string // of own, other, group and all
	}{
		"no command":         {nil, "own other group all"},
		"not promiscuous":    {[][]byte{noPromiscuous}, "own all"},
		"all multicast":      {[][]byte{noPromiscuous, command(0, 1, []byte{1})}, "own group all"},
		"a group":            {[][]byte{noPromiscuous, command(1, 0, table(), table(group))}, "own group all"},
		"a second address":   {[][]byte{noPromiscuous, command(1, 0, table(other), table())}, "own other all"},
		"another address":    {[][]byte{noPromiscuous, command(1, 1, []byte(other))}, "other all"},
		"promiscuous again":  {[][]byte{noPromiscuous, command(0, 0, []byte{1})}, "own other group all"},
		"the group left":     {[][]byte{noPromiscuous, command(1, 0, table(), table(group)), command(1, 0, table(), table())}, "own all"},
		"too many addresses": {[][]byte{noPromiscuous, command(1, 0, table(many()...), table())}, "own other group all"},
	} {
		t.Run(name, func(t *testing.T) {
			cal, d, _ := two(t)
			for _, c := range tt.commands {
				if got := d[1].Do(t, 2, c, 1); len(got) != 1 || got[0] != 0 {
					t.Fatalf("command % x is answered with % x", c, got)
				}
			}
			var got []string
			for _, a := range []struct{ name, dst string }{{"own", own}, {"other", other}, {"group", group}, {"all", all}} {
				d[1].Rings[0].Add(nil, []int{200})
				d[1].Kick(0)
				f := frame(60)
				copy(f, a.dst)
				d[0].Rings[1].Add([][]byte{make([]byte, 12), f[:3], f[3:]}, nil)
				d[0].Kick(1)
				advance(t, cal)
				if len(d[1].Rings[0].Results()) == 1 {
					got = append(got, a.name)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("takes frames to %q, want %q", s, tt.want)
			}
		})
	}
}

// many is more unicast addresses than a filter holds.
func many() (list []string) {
	for i := range 70 {
		list = append(list, string([]byte{2, 1, 0, 0, 0, byte(i)}))
	}
	return list
}

// TestResetFilter: after a reset a NIC has its own address again, and takes everything.
func TestResetFilter(t *testing.T) {
	_, d, nics := two(t)
	d[1].Do(t, 2, command(1, 1, []byte(other)), 1)
	if got := nics[1].Config()[:6]; string(got) != other {
		t.Errorf("the address is % x, want what the driver has set", got)
	}
	nics[1].Stop()
	if got := nics[1].Config()[:6]; string(got) != own {
		t.Errorf("the address is % x after a reset, want its own", got)
	}
}

func TestCommandsRefused(t *testing.T) {
	for name, c := range map[string][]byte{
		"class":           command(77, 0, []byte{1}),
		"command":         command(0, 77, []byte{1}),
		"no value":        command(0, 0),
		"long value":      command(0, 0, []byte{1, 1}),
		"short address":   command(1, 1, []byte(own[:5])),
		"no table":        command(1, 0),
		"one table":       command(1, 0, table(other)),
		"count too large": command(1, 0, []byte{0xff, 0xff, 0xff, 0xff}, table()),
		"table cut short": command(1, 0, table(other), table(group)[:7]),
		"more behind":     command(1, 0, table(other), table(group), []byte{0}),
	} {
		t.Run(name, func(t *testing.T) {
			_, d, _ := two(t)
			if got := d[1].Do(t, 2, c, 1); len(got) != 1 || got[0] != 1 {
				t.Errorf("answered with % x, want an error", got)
			}
		})
	}
	for name, send := range map[string]func(r *virtiotest.Ring){
		"no header": func(r *virtiotest.Ring) { r.Add([][]byte{{1}}, []int{1}) },
		"no room":   func(r *virtiotest.Ring) { r.Add([][]byte{{0, 0, 1}}, nil) },
		"huge":      func(r *virtiotest.Ring) { r.Add([][]byte{make([]byte, 70<<10)}, []int{1}) },
		"only room": func(r *virtiotest.Ring) { r.Add(nil, []int{5}) },
		"bad chain": func(r *virtiotest.Ring) { r.Publish(99) },
		"bad index": func(r *virtiotest.Ring) { r.SetAvail(999) },
		"loop of it": func(r *virtiotest.Ring) {
			virtiotest.PutDesc(r.Desc, 0, virtiotest.Base, 1, virtiotest.Next, 0)
			r.Publish(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, d, _ := two(t)
			send(d[1].Rings[2])
			d[1].Kick(2)
			if d[1].Failure == nil {
				t.Error("taken")
			}
		})
	}
}

// FuzzQueues puts random bytes into the three queues of a NIC.
func FuzzQueues(f *testing.F) {
	f.Add(command(0, 0, []byte{0}), append(make([]byte, 12), frame(60)...), uint16(100))
	f.Add(command(1, 0, table(own, other), table(group)), append([]byte{1, 4, 20, 0}, frame(90)...), uint16(12))
	f.Fuzz(func(t *testing.T, c, sent []byte, room uint16) {
		cal := simbus.NewReal()
		defer cal.Close()
		seg, err := ether.NewSegment(cal, "lan", ether.SegmentConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var d [2]*virtiotest.Driver
		for i := range d {
			domain, err := cal.AddDomain("b")
			if err != nil {
				t.Fatal(err)
			}
			nic := net.New("eth0", []byte{2, 0, 0, 0, 0, byte(i)})
			nic.Offload = true
			nic.Port = seg.AddPort("b.eth0", domain, nic.Receive)
			domain.Do(func() { d[i] = virtiotest.Start(t, nic, 8, virtio.FeatureIndirectDesc) })
		}
		domains := []*simbus.Domain{seg.Ports()[0].Domain(), seg.Ports()[1].Domain()}
		domains[1].Do(func() {
			d[1].Rings[2].Add([][]byte{c}, []int{1})
			d[1].Kick(2)
			d[1].Rings[0].Add(nil, []int{int(room)})
			d[1].Kick(0)
		})
		domains[0].Do(func() {
			d[0].Rings[1].Add([][]byte{sent}, nil)
			d[0].Kick(1)
		})
		domains[1].Do(func() {
			for _, u := range d[1].Rings[0].Results() {
				want := bytes.Clone(sent[12:])
				if n := len(want); n < 60 { // as it is on a wire
					want = append(want, make([]byte, 60-n)...)
				}
				if got := u.Bytes(); len(got) < 12 || !bytes.Equal(got[12:], want) {
					t.Errorf("%x came as %x", sent, got)
				}
			}
			if err := d[1].Failure; err != nil && errors.Is(err, virtio.ErrBroken) {
				t.Errorf("the rings are good, and the device says %v", err)
			}
		})
	})
}
