package spi

import (
	"encoding/hex"
	"fmt"
)

// maxFormat is how many bytes of a transfer Format writes out, each way.
const maxFormat = 4096

// Format writes a transfer's data as the event stream has them, in hex as they go over
// the wire: "W 9f" for one that only writes, "R ef 40 17" for one that only reads, and
// "X 9f 00 = ff ef" for one that does both at once. Of a very long transfer it says how
// much is left out.
func Format(tx, rx []byte) string {
	switch {
	case rx == nil:
		return string(appendBytes([]byte{'W'}, tx))
	case tx == nil:
		return string(appendBytes([]byte{'R'}, rx))
	}
	return string(appendBytes(append(appendBytes([]byte{'X'}, tx), " ="...), rx))
}

func appendBytes(b, data []byte) []byte {
	n := min(len(data), maxFormat)
	for i := range data[:n] {
		b = append(b, ' ')
		b = hex.AppendEncode(b, data[i:i+1])
	}
	if more := len(data) - n; more > 0 {
		b = fmt.Appendf(b, " and %d bytes more", more)
	}
	return b
}
