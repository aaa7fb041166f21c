package spi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"backplane/periph/virtio"
)

// request is one transfer as the driver queued it.
type request struct {
	chain   *virtio.Chain
	cs      int
	mode    Mode
	hz      int
	words   words
	release bool // the chip is not to stay selected
	write   bool // there are data to write
	read    bool // there is room for what is read
	size    int  // of the data in memory, in bytes

	word, setup, hold, inactive time.Duration
}

// parse checks the layout of a request, and what it asks for. valid is false if the
// device has to refuse that; the error is for what is no request at all.
func (c *Controller) parse(chain *virtio.Chain) (r request, valid bool, err error) {
	readable, writable := chain.ReadLen(), chain.WriteLen()
	if readable < headSize {
		return r, false, fmt.Errorf("request of %d bytes: its head alone is %d", readable, headSize)
	}
	if writable < resultSize {
		return r, false, errors.New("request with no room for its result")
	}
	var head [headSize]byte
	chain.CopyOut(head[:], 0)
	mode := binary.LittleEndian.Uint32(head[headMode:])
	hz := binary.LittleEndian.Uint32(head[headHz:])
	delay := func(at int) time.Duration { return time.Duration(binary.LittleEndian.Uint32(head[at:])) }
	r = request{chain: chain, cs: int(head[headSelect]), mode: Mode(mode), hz: int(hz),
		words:   words{bits: int(head[headBits]), lsb: Mode(mode)&LSBFirst != 0},
		release: head[headCSChange] == 1,
		write:   readable > headSize, read: writable > resultSize,
		size: max(readable-headSize, writable-resultSize),
		word: delay(headWord), setup: delay(headSetup), hold: delay(headHold), inactive: delay(headInactive)}
	valid = r.cs < MaxSelects && head[headCSChange] <= 1 && head[headTxLines] <= 1 && head[headRxLines] <= 1 &&
		mode < uint32(Loop)<<1 && r.words.bits >= 1 && r.words.bits <= maxBits &&
		r.hz > 0 && (c.config.Frequency == 0 || r.hz <= c.config.Frequency) &&
		r.size > 0 && r.size <= maxTransfer && r.size%r.words.size() == 0 &&
		(!r.write || !r.read || readable-headSize == writable-resultSize) &&
		max(r.word, r.setup, r.hold, r.inactive) <= maxDelay
	return r, valid, nil
}

// bits is how many clocks the transfer has.
func (r *request) bits() int { return r.words.count(r.size) * r.words.bits }

// duration is how long the transfer takes on the wire; begins tells whether the chip
// select becomes active with it. Where the chip stays selected nothing is held.
func (r *request) duration(begins bool) time.Duration {
	d := time.Duration(int64(r.bits()) * int64(time.Second) / int64(r.hz))
	d += time.Duration(r.words.count(r.size)-1) * r.word
	if begins {
		d += r.setup
	}
	if r.release {
		d += r.hold + r.inactive
	}
	return d
}

// answer fills in the request's chain and returns how many bytes that took. The result
// is the last byte of it; the driver looks at no data unless it is resultOK.
func (r *request) answer(data []byte, result uint8) int {
	room := r.chain.WriteLen() - resultSize
	n := r.chain.CopyIn(0, data)
	if n < room { // refused: what the driver has there is its own
		return r.chain.CopyIn(room, []byte{result}) + room
	}
	return n + r.chain.CopyIn(n, []byte{result})
}
