package i2c

import (
	"strings"
	"testing"
)

// TestFormatOfMuch: the event of a transaction is not many times what a guest's kernel can
// send in one.
func TestFormatOfMuch(t *testing.T) {
	msgs := []Msg{{Data: []byte{0xab}}}
	for range 256 {
		msgs = append(msgs, Msg{Data: make([]byte, 1<<16-1)})
	}
	text := Format(msgs)
	if len(text) > 16<<10 || !strings.HasPrefix(text, "W ab W 00 00 ") || !strings.HasSuffix(text, " and 16772865 bytes more") {
		t.Errorf("%d bytes: %.20s ... %s", len(text), text, text[len(text)-40:])
	}
}
