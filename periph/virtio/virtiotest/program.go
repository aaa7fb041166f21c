package virtiotest

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"backplane/periph/virtio"
	"backplane/simbus"

	"golang.org/x/sys/unix"
)

// Programs is where a fuzz target runs what drivers do.
type Programs struct{ memory *Memory }

// NewPrograms makes a place with memory of its own.
func NewPrograms(f *testing.F) *Programs { return &Programs{NewMemory(f, 64<<10)} }

// Program is what a driver does, decoded from bytes: good buffers, and all that a
// driver must not do. Any bytes are a program.
type Program struct {
	*Driver
	t     testing.TB
	cal   *simbus.Calendar
	data  []byte
	other func(p *Program)
	raw   bool // what was made available is not only what Add made
}

// maxSteps bounds how long a program is.
const maxSteps = 200

// Run carries out a program against a device, on a board of its own. start makes both what
// is driven and other, which is what happens beside the driver: wires, frames.
func (r *Programs) Run(t testing.TB, data []byte, start func(cal *simbus.Calendar, board *simbus.Domain) (dev virtio.Device, other func(p *Program))) {
	r.memory.Clear()
	p := &Program{t: t, cal: simbus.NewVirtual(), data: data}
	defer p.cal.Close()
	board, err := p.cal.AddDomain("board")
	if err != nil {
		t.Fatal(err)
	}
	var dev virtio.Device
	dev, p.other = start(p.cal, board)
	features := p.Byte()
	p.Driver = StartIn(t, r.memory, dev, 8, uint64(features&3)<<28)
	board.OnFault = func(_ uintptr, err error) { p.fail(err) }
	for n := 0; len(p.data) > 0 && n < maxSteps; n++ {
		p.step()
	}
	p.Wait(time.Second)
	dev.Stop()
	p.Wait(time.Second)
}

// Wait lets time pass.
func (p *Program) Wait(d time.Duration) {
	if _, err := p.cal.Advance(context.Background(), p.cal.Now().Add(d), nil); err != nil {
		p.t.Fatal(err)
	}
}

// Put makes a good buffer available and kicks, if there is room in the ring.
func (p *Program) Put(queue int, out []byte, in int) {
	r := p.Rings[queue]
	if len(r.free) < 2 {
		return
	}
	var parts [][]byte
	var rooms []int
	if len(out) > 0 {
		parts = [][]byte{out}
	}
	if in > 0 {
		rooms = []int{in}
	}
	if len(out)+in > 0 {
		r.Add(parts, rooms)
		p.Kick(queue)
	}
}

// Byte takes a byte of the program, 0 behind its end.
func (p *Program) Byte() (b byte) {
	if len(p.data) > 0 {
		b, p.data = p.data[0], p.data[1:]
	}
	return b
}

// Bytes takes n bytes, or as many as there are.
func (p *Program) Bytes(n int) []byte {
	b := p.data[:min(n, len(p.data))]
	p.data = p.data[len(b):]
	return b
}

// number is an address, a length or an index; the limits that matter are near at hand.
func (p *Program) number() uint64 {
	switch b := p.Byte(); b & 7 {
	case 0, 1:
		return uint64(b >> 3)
	case 2:
		return Base + uint64(b>>3)*16
	case 3:
		return Base + uint64(len(p.Memory.Data)) - uint64(b>>3)
	case 4:
		return 1 << (b >> 3)
	case 5:
		return ^uint64(0) - uint64(b>>3)
	case 6:
		return Base + uint64(p.Byte())<<4
	}
	return uint64(p.Byte())<<8 | uint64(p.Byte())
}

func (p *Program) step() {
	op := p.Byte()
	queue := int(op>>4) % len(p.Rings)
	r := p.Rings[queue]
	p.raw = p.raw || op&15 >= 6 && op&15 <= 13 && op&15 != 12
	switch op & 15 {
	case 0, 1, 2, 3, 4:
		p.add(r)
		if op&15 != 0 {
			p.Kick(queue)
		}
	case 5:
		p.Kick(queue)
	case 6:
		PutDesc(r.Desc, int(p.Byte())%r.Size, p.number(), uint32(p.number()), uint16(p.Byte()&7), uint16(p.Byte())%uint16(r.Size+1))
	case 7: // a table of its own
		n := int(p.Byte()%4) + 1
		addr, table := p.Memory.Alloc(16 * n)
		for i := range n {
			PutDesc(table, i, p.number(), uint32(p.number()), uint16(p.Byte()&7), uint16(p.Byte())%uint16(n+1))
		}
		PutDesc(r.Desc, int(p.Byte())%r.Size, addr, uint32(16*n), Indirect|uint16(p.Byte()&4), 0)
	case 8:
		r.Publish(uint16(p.Byte()) % uint16(r.Size+1))
	case 9:
		r.SetAvail(r.availIdx + uint16(p.Byte()%16))
	case 10:
		binary.LittleEndian.PutUint16(r.Avail, uint16(p.Byte()))
		binary.LittleEndian.PutUint16(r.Avail[4+2*r.Size:], uint16(p.number()))
	case 11:
		binary.LittleEndian.PutUint16(r.Used[2*(int(p.Byte())%4):], uint16(p.number()))
	case 12:
		p.results(r)
	case 13:
		p.cut(queue)
	case 14:
		p.Wait(time.Duration(p.Byte()) << (op >> 4))
	default:
		p.other(p)
	}
}

// add makes a good buffer available, as far as there are descriptors.
func (p *Program) add(r *Ring) {
	shape := p.Byte()
	out, in := int(shape&3), int(shape>>2&3)
	if out+in == 0 || out+in > len(r.free) {
		return
	}
	var parts [][]byte
	for range out {
		parts = append(parts, p.Bytes(int(p.Byte()%64)))
	}
	var rooms []int
	for range in {
		rooms = append(rooms, int(p.Byte()))
	}
	if shape&0x80 != 0 && in > 0 {
		rooms[in-1] *= 64
	}
	r.Add(parts, rooms)
}

// results looks at what has come back.
func (p *Program) results(r *Ring) {
	for _, u := range r.Results() {
		if u.In == nil || p.raw {
			continue
		}
		room := 0
		for _, in := range u.In {
			room += len(in)
		}
		if u.Written < 0 || u.Written > room {
			p.t.Fatalf("%d bytes were written to %d", u.Written, room)
		}
	}
}

// cut takes the end of the memory away while the device works, and gives it back.
func (p *Program) cut(queue int) {
	size := int64(len(p.Memory.Data))
	if err := unix.Ftruncate(p.Memory.FD, int64(p.Byte())*4096%size); err != nil {
		p.t.Fatal(err)
	}
	p.Kick(queue)
	if err := virtio.Guard(func() error { p.other(p); return nil }); err != nil {
		p.fail(err)
	}
	if err := unix.Ftruncate(p.Memory.FD, size); err != nil {
		p.t.Fatal(err)
	}
}
