package vhostuser

import (
	"encoding/binary"
	"testing"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// fuzzed is a device of two queues that looks at every byte that it may read and
// writes every one that it may write.
type fuzzed struct{ queues []*virtio.Queue }

func (*fuzzed) ID() uint32                       { return virtio.IDRNG }
func (*fuzzed) Features() uint64                 { return 1 }
func (*fuzzed) Queues() int                      { return 2 }
func (*fuzzed) Config() []byte                   { return make([]byte, 8) }
func (*fuzzed) SetConfig(at int, b []byte) error { _ = make([]byte, 8)[at : at+len(b)]; return nil }
func (d *fuzzed) Stop()                          { d.queues = nil }
func (d *fuzzed) Start(_ uint64, q []*virtio.Queue) error {
	d.queues = q
	return nil
}

func (d *fuzzed) Kick(n int) error {
	q := d.queues[n]
	for {
		c, err := q.Next()
		if err != nil {
			return err
		}
		if c == nil {
			q.Notify()
			return nil
		}
		for _, list := range [][][]byte{c.Readable, c.Writable} {
			for i, part := range list {
				list[i] = part[:min(len(part), 1<<16)] // long ones take long, and teach nothing
			}
		}
		b := make([]byte, c.ReadLen())
		q.Done(c, c.CopyIn(0, b[:c.CopyOut(b, 0)]))
	}
}

// ringing are doorbells.
type ringing struct{ answers [simbus.Bells]func() }

func (b *ringing) Answer(bell int, f func()) { b.answers[bell] = f }
func (b *ringing) Ring(bell int)             { _ = b.answers[bell] }

// steps are what a front end does, from bytes.
type steps struct {
	*harness
	data  []byte
	ring  *virtiotest.Ring
	files []int // to send: memory, a short file, an eventfd, a socket, a pipe, and what it did not mean to
}

func (p *steps) byte() (b byte) {
	if len(p.data) > 0 {
		b, p.data = p.data[0], p.data[1:]
	}
	return b
}

// number has the limits that matter near at hand.
func (p *steps) number() uint64 {
	switch b := p.byte(); b & 7 {
	case 0, 1:
		return uint64(b >> 3)
	case 2:
		return virtiotest.UserBase + uint64(b>>3)*64
	case 3:
		return virtiotest.Base + uint64(b>>3)*64
	case 4:
		return 1 << (b >> 3)
	case 5:
		return ^uint64(0) - uint64(b>>3)
	case 6:
		return uint64(len(p.mem.Data)) - uint64(b>>3)
	}
	return uint64(p.byte())<<16 | uint64(p.byte())<<8 | uint64(p.byte())
}

func (p *steps) fds(n byte) (fds []int) {
	for range n % 10 {
		fds = append(fds, p.files[int(p.byte())%len(p.files)])
	}
	return fds
}

// message sends one, with a payload of a size that is right or not.
func (p *steps) message() {
	requests := [...]uint32{getFeatures, setFeatures, setOwner, resetOwner, setMemTable, setVringNum, setVringAddr, setVringBase,
		getVringBase, setVringKick, setVringCall, setVringErr, getProtocolFeatures, setProtocolFeatures, getQueueNum, setVringEnable,
		setBackendReqFD, getConfig, setConfig, vringKick, 40, 99}
	r := requests[int(p.byte())%len(requests)]
	how := p.byte()
	size := payloadSizes[r]
	if size < 0 || how&7 == 0 {
		size = 8 + int(p.byte()%5)*8
	}
	var payload []byte
	for len(payload) < size {
		payload = binary.NativeEndian.AppendUint64(payload, p.number())
	}
	p.send(r, payload[:size], p.fds(how>>3%4)...)
	p.hear()
}

func (p *steps) hear() {
	if c := p.conn(); c != nil {
		c.ready()
	}
}

func (p *steps) step() {
	switch op := p.byte(); op & 15 {
	case 0, 1, 2, 3:
		p.message()
	case 4: // half a message, or several
		n := min(int(op>>4)*5, len(p.data))
		_, _ = unix.SendmsgN(p.fd, p.data[:n], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		p.data = p.data[n:]
		p.hear()
	case 5, 6:
		p.kick(uint32(op >> 4))
	case 7:
		p.ring = p.setUp(8, virtio.FeatureVersion1|uint64(op>>4)<<28&(virtio.FeatureIndirectDesc|virtio.FeatureEventIdx))
	case 8:
		if p.ring != nil {
			virtiotest.PutDesc(p.ring.Desc, int(op>>4)%8, p.number(), uint32(p.number()), uint16(p.byte()), uint16(p.byte()%10))
		}
	case 9:
		if p.ring != nil {
			p.ring.Publish(uint16(op >> 4))
		}
	case 10:
		if p.ring != nil {
			p.ring.SetAvail(uint16(p.number()))
		}
	case 11: // memory goes, and comes back
		_ = unix.Ftruncate(p.mem.FD, int64(op>>4)*4096)
		p.kick(0)
		p.kick(1)
		_ = unix.Ftruncate(p.mem.FD, int64(len(p.mem.Data)))
	case 12:
		_ = unix.Shutdown(p.fd, unix.SHUT_RDWR)
		p.hear()
		p.connect()
	case 13:
		for _, f := range p.opts.Bells.(*ringing).answers {
			if f != nil {
				f()
			}
		}
	case 14:
		for fd, f := range p.watched {
			if p.conn() == nil || fd != p.conn().fd {
				f()
			}
		}
		for _, f := range p.posted {
			f()
		}
		p.posted = nil
	case 15:
		p.ConfigChanged()
		p.Maps(uintptr(p.number()))
	}
}

// FuzzFrontEnd has a front end send messages in any order, whole ones and parts,
// with file descriptors of any kind, write its rings, kick, and cut its memory.
func FuzzFrontEnd(f *testing.F) {
	f.Add([]byte("\x07\x08\x03\x20\x02\x00\x09\x05"), false)
	f.Add([]byte("\x37\x08\x13\x20\x01\x01\x18\x23\x08\x02\x00\x09\x05\x0b\x0e"), true)
	f.Add([]byte("\x00\x09\x08\x00\x02\x00\x0a\x10\x03\x00\x0c\x07\x00\x0f\x0f\x0d"), false)
	f.Add([]byte("\x00\x04\x21\x01\x03\x06\x02\x00\x00\x00\x05\x11\x34\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"), true)
	h := &harness{t: f, mem: virtiotest.NewMemory(f, 64<<10)}
	files := []int{h.mem.FD}
	short, err := unix.MemfdCreate("short", unix.MFD_CLOEXEC)
	if err != nil {
		f.Fatal(err)
	}
	event, err := unix.Eventfd(5, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		f.Fatal(err)
	}
	a, b, err := socketPair()
	if err != nil {
		f.Fatal(err)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		f.Fatal(err)
	}
	files = append(files, short, event, a, b, pipe[0], pipe[1])
	f.Cleanup(func() {
		for _, fd := range files[1:] {
			unix.Close(fd)
		}
	})
	f.Fuzz(func(t *testing.T, data []byte, inBand bool) {
		clear(h.mem.Data[:4096])
		*h.mem = virtiotest.Memory{FD: h.mem.FD, Data: h.mem.Data}
		h.begin(&fuzzed{}, Options{InBand: inBand, Bells: &ringing{}, Patience: 1, Memory: 1 << 20})
		defer h.end()
		p := &steps{harness: h, data: data, files: files}
		for n := 0; len(p.data) > 0 && n < 100; n++ {
			p.step()
			if c := h.conn(); c != nil && len(c.fds) > maxFDs {
				t.Fatalf("%d file descriptors are kept", len(c.fds))
			}
			var junk [4096]byte
			_, _, _ = unix.Recvfrom(h.fd, junk[:], unix.MSG_DONTWAIT)
		}
	})
}
