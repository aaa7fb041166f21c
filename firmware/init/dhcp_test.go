package main

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// ack is an answer of a server as it comes in, with options.
func ack(xid uint32, options ...byte) []byte {
	b := make([]byte, ipSize+udpSize+dhcpSize)
	b[0], b[9] = 0x45, 17
	binary.BigEndian.PutUint16(b[ipSize+2:], clientPort)
	m := b[ipSize+udpSize:]
	m[0] = bootReply
	binary.BigEndian.PutUint32(m[4:], xid)
	copy(m[16:], []byte{10, 0, 0, 7})
	binary.BigEndian.PutUint32(m[236:], dhcpCookie)
	return append(b, options...)
}

func TestParseReply(t *testing.T) {
	good := ack(9, 53, 1, 5, 0, 1, 4, 255, 255, 252, 0, 3, 4, 10, 0, 0, 254, 6, 8, 10, 0, 0, 254, 10, 0, 0, 253, 15, 4, 's', 'i', 't', 'e', 51, 4, 0, 0, 14, 16, 54, 4, 10, 0, 0, 254, 255)
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"good", good, "5 10.0.0.7/22 10.0.0.254 [10.0.0.254 10.0.0.253] site 1h0m0s <nil>"},
		{"no mask", ack(9, 53, 1, 2, 54, 4, 10, 0, 0, 254), "2 10.0.0.7/32 invalid IP []  0s <nil>"},
		{"another's", ack(8, 53, 1, 5, 54, 4, 10, 0, 0, 254), ""},
		{"of no server", ack(9, 53, 1, 5), ""},
		{"no DHCP", ack(9, 54, 4, 10, 0, 0, 254), ""},
		{"cut short", good[:100], ""},
		{"an option cut short", ack(9, 53, 1, 5, 54, 200, 1), ""},
		{"nothing", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kind, l, err := parseReply(tt.b, 9)
			if tt.want == "" {
				if err == nil {
					t.Errorf("it was taken: %+v", l)
				}
				return
			}
			if got := fmt.Sprint(kind, " ", l.address, " ", l.router, " ", l.dns, " ", l.domain, " ", l.time, " ", err); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add(ack(9, 53, 1, 5, 54, 4, 10, 0, 0, 254, 255))
	f.Fuzz(func(t *testing.T, b []byte) {
		if kind, l, err := parseReply(b, 9); err == nil && (kind == 0 || !l.address.IsValid()) {
			t.Errorf("an answer of kind %d with the address %s", kind, l.address)
		}
	})
}
