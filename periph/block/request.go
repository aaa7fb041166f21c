package block

import (
	"encoding/binary"
	"errors"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// request is one that is under way. Those of a disk are used again and again.
type request struct {
	disk   *Disk
	chain  *virtio.Chain
	queue  *virtio.Queue
	run    uint64 // of the driver that made it, see Disk.run
	kind   uint32
	sector int64
	parts  [][]byte // its data in guest memory
	length int64    // of that, in bytes
	status byte
	timer  *simbus.Timer // at which it is done, while it waits for that
	err    error         // that stops the device
	why    string        // it failed, if the host is not to blame
	// Made once: finish, do and answer.
	due             func()
	doing, replying func() error

	segments [maxEraseSegments * segmentSize]byte
}

// take takes a request from the driver.
func (d *Disk) take(chain *virtio.Chain) (more bool, err error) {
	if n := chain.ReadLen(); n < headSize || chain.WriteLen() < statusSize {
		return false, fmt.Errorf("request of %d bytes, with room for %d: its head alone has %d, and its status 1", n, chain.WriteLen(), headSize)
	}
	if d.underWay >= d.queue.Size() {
		return false, fmt.Errorf("%w: more than %d requests are under way, which is what its queue holds", virtio.ErrBroken, d.underWay)
	}
	r := d.newRequest(chain)
	r.parse()
	d.underWay++
	if d.o.Post != nil && r.now() {
		return true, d.complete(r)
	}
	d.start(r)
	return true, nil
}

// newRequest is one that is not in use.
func (d *Disk) newRequest(chain *virtio.Chain) *request {
	if len(d.spare) == 0 {
		d.spare = append(d.spare, makeRequest(d))
	}
	last := len(d.spare) - 1
	r := d.spare[last]
	d.spare = d.spare[:last]
	r.chain, r.queue, r.run, r.status, r.err, r.why, r.parts, r.length = chain, d.queue, d.run.Load(), statusNone, nil, "", r.parts[:0], 0
	return r
}

func makeRequest(d *Disk) *request {
	r := &request{disk: d}
	r.due, r.doing, r.replying = func() { d.finish(r) }, r.do, r.answer
	return r
}

// parse reads the head, and refuses what cannot be carried out.
func (r *request) parse() {
	var head [headSize]byte
	r.chain.CopyOut(head[:], 0)
	r.kind = binary.LittleEndian.Uint32(head[headType:])
	sector := binary.LittleEndian.Uint64(head[headSector:])
	switch r.kind {
	case typeIn:
		r.data(r.chain.Writable, 0, r.chain.WriteLen()-statusSize)
		r.within(sector)
	case typeOut:
		r.data(r.chain.Readable, headSize, r.chain.ReadLen()-headSize)
		r.within(sector)
	case typeFlush:
	case typeID:
		r.data(r.chain.Writable, 0, r.chain.WriteLen()-statusSize)
		if r.length < idSize {
			r.status = statusIOError
		}
	case typeDiscard, typeWriteZeroes:
		r.data(r.chain.Readable, headSize, r.chain.ReadLen()-headSize)
		r.erase()
	default:
		r.status = statusUnsupported
	}
}

// data is n bytes of a chain's from off on.
func (r *request) data(parts [][]byte, off, n int) {
	r.length = int64(n)
	for _, p := range parts {
		if off >= len(p) {
			off -= len(p)
			continue
		}
		p = p[off:min(len(p), off+n)]
		off = 0
		if n -= len(p); len(p) > 0 {
			r.parts = append(r.parts, p)
		}
	}
}

// within checks that the data lie on the disk.
func (r *request) within(sector uint64) {
	sectors := uint64(r.disk.size / sectorSize)
	if r.length == 0 || r.length%sectorSize != 0 || sector > sectors || uint64(r.length)/sectorSize > sectors-sector {
		r.status = statusIOError
		return
	}
	r.sector = int64(sector)
}

// erase copies the segments of a discard or write-zeroes request, and checks them; what
// the guest makes of them later has no effect.
func (r *request) erase() {
	if r.length == 0 || r.length%segmentSize != 0 || r.length > int64(len(r.segments)) {
		r.status = statusIOError
		return
	}
	r.chain.CopyOut(r.segments[:r.length], headSize)
	r.length, r.parts = r.length/segmentSize, r.parts[:0]
	total := r.disk.size / sectorSize
	for i := range r.length {
		flags := binary.LittleEndian.Uint32(r.segments[i*segmentSize+segmentFlags:])
		sector, n := r.segment(i)
		switch {
		case flags&^flagUnmap != 0 || r.kind == typeDiscard && flags != 0:
			r.status = statusUnsupported
			return
		case n == 0 || n > maxErase || sector < 0 || sector > total || n > total-sector:
			r.status = statusIOError
			return
		}
	}
}

// segment is one of an erasing request.
func (r *request) segment(i int64) (sector, n int64) {
	s := r.segments[i*segmentSize:]
	return int64(binary.LittleEndian.Uint64(s[segmentSector:])), int64(binary.LittleEndian.Uint32(s[segmentSectors:]))
}

// now carries it out if that takes no time, which many reads and writes in real time do:
// then no goroutine has to be woken up.
func (r *request) now() bool {
	d := r.disk
	switch {
	case r.status != statusNone:
		return true
	case d.delay() > 0 || r.kind != typeIn && (r.kind != typeOut || d.durable && d.through()):
		return false
	}
	if r.why = d.refuses(r); r.why != "" {
		r.status = statusIOError
		return true
	}
	off, done := r.sector*sectorSize, false
	if r.kind == typeIn {
		done = d.contents.ReadNow(r.parts, off)
	} else {
		done = d.contents.WriteNow(r.parts, off, d.through())
	}
	if done {
		r.status = statusOK
	}
	return done
}

// carryOut does it, unless it has been refused. It may be on another goroutine than the board's.
func (r *request) carryOut() {
	if r.status != statusNone || r.err != nil {
		return
	}
	if err := virtio.Guard(r.doing); err != nil {
		r.fail(err)
	} else if r.status == statusNone {
		r.status = statusOK
	}
}

// fail says why it was not done. Memory of the guest that has gone is the guest's mistake.
func (r *request) fail(err error) {
	r.status = statusIOError
	if errors.Is(err, virtio.ErrBroken) || errors.Is(err, unix.EFAULT) {
		r.err = err
		return
	}
	r.why = err.Error()
}

func (r *request) do() error {
	d := r.disk
	if r.why = d.refuses(r); r.why != "" {
		r.status = statusIOError
		return nil
	}
	off := r.sector * sectorSize
	switch r.kind {
	case typeIn:
		return d.contents.ReadV(r.parts, off)
	case typeOut:
		if err := d.contents.WriteV(r.parts, off, d.through()); err != nil {
			return err
		}
		return d.written()
	case typeFlush:
		return d.flush()
	case typeID:
		var id [idSize]byte
		copy(id[:], d.serial)
		r.chain.CopyIn(0, id[:])
		return nil
	}
	for i := range r.length {
		sector, n := r.segment(i)
		if err := d.contents.Zero(sector*sectorSize, n*sectorSize, d.through()); err != nil {
			return err
		}
	}
	return d.written()
}

// answer gives it back to the driver.
func (r *request) answer() error {
	r.chain.CopyIn(r.chain.WriteLen()-statusSize, []byte{r.status})
	r.queue.Done(r.chain, r.chain.WriteLen())
	return nil
}

// eachRange calls f with each range of sectors that the request touches.
func (r *request) eachRange(f func(sector, n int64) bool) bool {
	switch r.kind {
	case typeIn, typeOut:
		return f(r.sector, r.length/sectorSize)
	case typeDiscard, typeWriteZeroes:
		for i := range r.length {
			if sector, n := r.segment(i); f(sector, n) {
				return true
			}
		}
	}
	return false
}

// writes tells whether it changes what is on the disk.
func (r *request) writes() bool {
	return r.kind == typeOut || r.kind == typeDiscard || r.kind == typeWriteZeroes
}
