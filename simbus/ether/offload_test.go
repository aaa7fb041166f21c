package ether_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"backplane/simbus/ether"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// tcpFrame is a frame with a TCP segment of so many bytes, whose checksum is
// left to others, and what virtio says of it.
func tcpFrame(t testing.TB, v6, tagged bool, payload int) ([]byte, ether.Offload) {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 1}, DstMAC: []byte{2, 0, 0, 0, 0, 2}}
	tcp := &layers.TCP{SrcPort: 1, DstPort: 2, Seq: 1000, ACK: true, PSH: true, FIN: true, CWR: true, Window: 9,
		Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}}}
	var list []gopacket.SerializableLayer
	kind, start := layers.EthernetTypeIPv4, 14+20
	o := ether.Offload{Flags: 1, GSOType: 1 | 0x80, GSOSize: 1000, ChecksumOffs: 16}
	var ip gopacket.NetworkLayer = &layers.IPv4{Version: 4, TTL: 64, Id: 65535, Protocol: layers.IPProtocolTCP, SrcIP: []byte{10, 0, 0, 1}, DstIP: []byte{10, 0, 0, 2}}
	if v6 {
		kind, start, o.GSOType = layers.EthernetTypeIPv6, 14+40, 4|0x80
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: bytes.Repeat([]byte{0xfd}, 16), DstIP: bytes.Repeat([]byte{0xfe}, 16)}
	}
	if eth.EthernetType = kind; tagged {
		eth.EthernetType = layers.EthernetTypeDot1Q
		list = append(list, &layers.Dot1Q{VLANIdentifier: 10, Type: kind})
		start += 4
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, payload)
	for i := range data {
		data[i] = byte(i * 7)
	}
	list = append(append([]gopacket.SerializableLayer{eth}, list...), ip.(gopacket.SerializableLayer), tcp, gopacket.Payload(data))
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, list...); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	// The field holds the sum of the pseudo header, as virtio wants it.
	sum := uint32(6 + len(b) - start)
	addresses := b[start-8 : start]
	if v6 {
		addresses = b[start-32 : start]
	}
	for i := 0; i < len(addresses); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(addresses[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[start+16:], uint16(sum))
	o.ChecksumStart = uint16(start)
	return b, o
}

// TestWire has gopacket check what a long frame is cut into.
func TestWire(t *testing.T) {
	for _, tt := range []struct {
		name                string
		v6, tagged, oneOnly bool
		frames              int
	}{{"v4", false, false, false, 4}, {"v6", true, false, false, 4}, {"v4 in a VLAN", false, true, false, 4}, {"v6 in a VLAN", true, true, false, 4},
		{"checksum only", false, false, true, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			b, o := tcpFrame(t, tt.v6, tt.tagged, 3500)
			if tt.oneOnly {
				o.GSOType, o.GSOSize = 0, 0
			}
			whole := gopacket.NewPacket(bytes.Clone(b), layers.LayerTypeEthernet, gopacket.Default)
			want := whole.TransportLayer().(*layers.TCP).Payload
			var got []byte
			frames := 0
			f := ether.Frame{Parts: [][]byte{b[:20], b[20:]}, Offload: o}
			ok := f.Wire(func(w *ether.Frame) {
				if w.Offload != (ether.Offload{}) {
					t.Errorf("frame %d leaves work: %+v", frames, w.Offload)
				}
				p := gopacket.NewPacket(bytes.Join(w.Parts, nil), layers.LayerTypeEthernet, gopacket.Default)
				tcp, _ := p.TransportLayer().(*layers.TCP)
				if tcp == nil || p.ErrorLayer() != nil {
					t.Fatalf("frame %d: %s", frames, p)
				}
				if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
					t.Fatal(err)
				}
				if err, sums := p.VerifyChecksums(); err != nil || len(sums) > 0 {
					t.Errorf("frame %d: wrong checksums %v, %v", frames, sums, err)
				}
				if ip, ok := p.NetworkLayer().(*layers.IPv4); ok && ip.Id != uint16(65535+frames) {
					t.Errorf("frame %d has the identification %d", frames, ip.Id)
				}
				if last := frames == tt.frames-1; tcp.Seq != uint32(1000+len(got)) || tcp.FIN != last || tcp.PSH != last || tcp.CWR != (frames == 0) {
					t.Errorf("frame %d: sequence number %d, FIN %t, PSH %t, CWR %t", frames, tcp.Seq, tcp.FIN, tcp.PSH, tcp.CWR)
				}
				got = append(got, tcp.Payload...)
				frames++
			})
			if !ok || frames != tt.frames || !bytes.Equal(got, want) {
				t.Errorf("%t: %d frames with %d bytes, want %d with %d", ok, frames, len(got), tt.frames, len(want))
			}
		})
	}
}

func TestWireRefuses(t *testing.T) {
	b, good := tcpFrame(t, false, false, 3500)
	for name, spoil := range map[string]func(o *ether.Offload){
		"checksum beyond the end":     func(o *ether.Offload) { o.GSOType, o.ChecksumStart = 0, uint16(len(b)-17) },
		"tiny segments":               func(o *ether.Offload) { o.GSOSize = 1 },
		"no checksum":                 func(o *ether.Offload) { o.Flags = 0 },
		"wrong protocol":              func(o *ether.Offload) { o.GSOType = 4 },
		"unknown kind":                func(o *ether.Offload) { o.GSOType = 3 },
		"header in the wrong place":   func(o *ether.Offload) { o.ChecksumStart++ },
		"checksum in the wrong place": func(o *ether.Offload) { o.ChecksumOffs = 4 },
	} {
		o := good
		spoil(&o)
		if (&ether.Frame{Parts: [][]byte{b}, Offload: o}).Wire(func(*ether.Frame) {}) {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzWire: whatever a guest sends, what comes of it can be bounded.
func FuzzWire(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		b, o := tcpFrame(f, v6, v6, 200)
		f.Add(b, o.Flags, o.GSOType, o.HeaderLen, o.GSOSize, o.ChecksumStart, o.ChecksumOffs)
		f.Add(b, o.Flags, uint8(5), o.HeaderLen, uint16(50), o.ChecksumStart, uint16(6))
	}
	f.Fuzz(func(t *testing.T, b []byte, flags, kind uint8, header, size, start, offset uint16) {
		frame := ether.Frame{Parts: [][]byte{b}, Offload: ether.Offload{Flags: flags, GSOType: kind, HeaderLen: header, GSOSize: size, ChecksumStart: start, ChecksumOffs: offset}}
		before, bytesOut := bytes.Clone(b), 0
		frame.Wire(func(w *ether.Frame) { bytesOut += w.Len() })
		if bytesOut > 12*(len(b)+100) {
			t.Errorf("%d bytes became %d", len(b), bytesOut)
		}
		if !bytes.Equal(b, before) {
			t.Error("the sender's memory was changed")
		}
	})
}

// FuzzSwitch sends any bytes through a switch with VLANs, mirrors and impairments.
func FuzzSwitch(f *testing.F) {
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x81\x00\x00\x0a\x08\x00rest"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, from uint8) {
		cal, seg := virtualSegment(t, ether.SegmentConfig{Impairment: ether.Impairment{Duplicate: 0.5, Corrupt: 0.5, Reorder: 0.5}})
		s := stations(t, cal, seg, 5)
		vlanSwitch(s)
		s[2].port.SetMirror([]*ether.Port{s[0].port, s[3].port})
		i := int(from) % len(s)
		s[i].domain.Do(func() { s[i].port.Send(&ether.Frame{Parts: [][]byte{b}}) })
		advance(t, cal, 1e9)
		if n := len(s[i].raw); n > 0 {
			t.Errorf("%d frames came back", n)
		}
		for _, other := range s {
			for _, raw := range other.raw {
				if len(raw) < len(b)-4 || len(raw) > len(b)+4 {
					t.Errorf("%d bytes became %d", len(b), len(raw))
				}
			}
		}
	})
}
