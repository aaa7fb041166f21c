package i2c

import "encoding/hex"

// Format writes a transaction's messages as the event stream has them: a
// direction and the bytes in hex, "W 00 R 19 00". A message without bytes is
// its direction alone.
func Format(msgs []Msg) string {
	var b []byte
	for i, m := range msgs {
		if i > 0 {
			b = append(b, ' ')
		}
		if m.Read {
			b = append(b, 'R')
		} else {
			b = append(b, 'W')
		}
		for j := range m.Data {
			b = append(b, ' ')
			b = hex.AppendEncode(b, m.Data[j:j+1])
		}
	}
	return string(b)
}
