package ether

// Frame is an Ethernet frame on its way. Its bytes are the callee's only until
// the call returns: on the direct way they are the sender's own memory.
type Frame struct {
	Parts   [][]byte // the frame from its destination address on, without the check sequence
	Offload Offload
	// Batch is what the frame was sent in, on the direct way. Otherwise, and for
	// a sender that sends single frames, it is nil.
	Batch *Batch
}

// Offload is the work that a sender leaves to the one that puts the frame on a
// real wire: a checksum, and the cutting into segments. The fields are those of
// virtio_net_hdr (virtio 1.2 section 5.1.6). The zero value leaves none.
type Offload struct {
	Flags, GSOType                                  uint8
	HeaderLen, GSOSize, ChecksumStart, ChecksumOffs uint16
}

// Shortest and longest frames that a switch takes, without the check sequence.
// What a sender leaves to be cut up may be longer than any real frame.
const (
	minFrame = 14
	maxFrame = 64<<10 + 64
)

// Pad adds zeros to a frame that is too short for a wire, as an Ethernet port does
// (IEEE 802.3 clause 4.2.3.3). One that has no whole header stays as it is.
func (f *Frame) Pad() {
	if n := f.Len(); n >= minFrame && n < shortest {
		f.Parts = append(f.Parts, padding[n:])
	}
}

// padding is what is added: nobody writes into a frame's bytes.
var padding [shortest]byte

// Len is how many bytes the frame has.
func (f *Frame) Len() int {
	n := 0
	for _, p := range f.Parts {
		n += len(p)
	}
	return n
}

// head copies the beginning of the frame into b.
func (f *Frame) head(b []byte) []byte {
	n := 0
	for _, p := range f.Parts {
		n += copy(b[n:], p)
	}
	return b[:n]
}

// Copy is the frame in memory of its own, in one part.
func (f *Frame) Copy() *Frame {
	return &Frame{Parts: [][]byte{f.head(make([]byte, f.Len()))}, Offload: f.Offload}
}
