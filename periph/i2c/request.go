package i2c

import (
	"encoding/binary"
	"errors"
	"fmt"

	"backplane/periph/virtio"
)

// request is one message of a transaction as the driver queued it.
type request struct {
	chain  *virtio.Chain
	addr   uint16 // as on the wire: the 7-bit address is bits 7 to 1
	linked bool   // the next request belongs to the same group
	msg    Msg
}

// arena is where the data of one transaction's messages lives, reused for the next.
type arena []byte

// take returns n zero bytes that are valid until reset.
func (a *arena) take(n int) []byte {
	if cap(*a)-len(*a) < n {
		*a = make(arena, 0, max(n, 2*cap(*a), 256)) // the slices handed out keep the old one
	}
	start := len(*a)
	*a = (*a)[:start+n]
	b := (*a)[start : start+n : start+n]
	clear(b)
	return b
}

func (a *arena) reset() { *a = (*a)[:0] }

// parse checks the layout of a request and copies what it writes into a: the
// guest may change its memory while a target looks at the data.
func parse(chain *virtio.Chain, a *arena) (request, error) {
	var header [headerSize]byte
	readable, writable := chain.ReadLen(), chain.WriteLen()
	if readable < headerSize {
		return request{}, fmt.Errorf("request of %d bytes: its header alone is %d", readable, headerSize)
	}
	if writable < statusSize {
		return request{}, errors.New("request with no room for its status")
	}
	chain.CopyOut(header[:], 0)
	flags := binary.LittleEndian.Uint32(header[4:])
	r := request{
		chain:  chain,
		addr:   binary.LittleEndian.Uint16(header[0:]),
		linked: flags&flagFailNext != 0,
		msg:    Msg{Read: flags&flagRead != 0},
	}

	out, in := readable-headerSize, writable-statusSize
	size := out
	if r.msg.Read {
		size = in
	}
	switch {
	case r.msg.Read && out > 0:
		return request{}, fmt.Errorf("read request that carries %d bytes to write", out)
	case !r.msg.Read && in > 0:
		return request{}, fmt.Errorf("write request with room for %d bytes to read", in)
	case size >= maxMessage:
		return request{}, fmt.Errorf("message of %d bytes: must be below %d", size, maxMessage)
	}
	r.msg.Data = a.take(size)
	if !r.msg.Read {
		chain.CopyOut(r.msg.Data, headerSize)
	}
	return r, nil
}

// address is the 7-bit address. A 10-bit address (its low byte is 11110xx0)
// comes out as the reserved 0x78 to 0x7b, which no target can have.
func (r *request) address() uint8 { return uint8(r.addr) >> 1 }

// answer fills in the request's chain and returns how many bytes that took. The
// status is the last byte, so the data before it is written in any case.
func (r *request) answer(status uint8) int {
	n := 0
	if r.msg.Read {
		if status != statusOK {
			clear(r.msg.Data)
		}
		n = r.chain.CopyIn(0, r.msg.Data)
	}
	return n + r.chain.CopyIn(n, []byte{status})
}
