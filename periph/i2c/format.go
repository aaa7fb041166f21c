package i2c

import (
	"encoding/hex"
	"fmt"
)

// maxFormat is how many bytes of a transaction Format writes out: a kernel may send 64 KiB
// in each of a queue full of messages.
const maxFormat = 4096

// Format writes a transaction's messages as the event stream has them: a
// direction and the bytes in hex, "W 00 R 19 00". A message without bytes is
// its direction alone. Of a very long transaction it says how much is left out.
func Format(msgs []Msg) string {
	var b []byte
	room, more := maxFormat, 0
	for i, m := range msgs {
		if i > 0 {
			b = append(b, ' ')
		}
		if m.Read {
			b = append(b, 'R')
		} else {
			b = append(b, 'W')
		}
		n := min(len(m.Data), room)
		room -= n
		more += len(m.Data) - n
		for j := range m.Data[:n] {
			b = append(b, ' ')
			b = hex.AppendEncode(b, m.Data[j:j+1])
		}
	}
	if more > 0 {
		b = fmt.Appendf(b, " and %d bytes more", more)
	}
	return string(b)
}
