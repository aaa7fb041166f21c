// Package virtiotest is the driver's side of virtio, written for tests: guest
// memory, split queues, and a way to hand both to a device without a kernel.
// What a driver must not do, a test can do too, through the raw memory.
package virtiotest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"unsafe"

	"backplane/periph/virtio"

	"golang.org/x/sys/unix"
)

// Base is the guest address of the first byte of memory, UserBase what the
// front end would call it.
const (
	Base     = 0x1000_0000
	UserBase = 0x6000_0000
)

// Memory is a guest's memory, in a file that can be handed to another process.
type Memory struct {
	FD   int
	Data []byte
	next uint64
	used uint64 // up to where anything was allocated
}

// Clear makes all of it new.
func (m *Memory) Clear() {
	clear(m.Data[:m.used])
	m.next, m.used = 0, 0
}

// NewMemory makes size bytes of memory, which go when the test ends.
func NewMemory(t testing.TB, size int) *Memory {
	t.Helper()
	m, err := MakeMemory(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// MakeMemory makes size bytes of memory, which are the caller's to close.
func MakeMemory(size int) (*Memory, error) {
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a guest's memory: %w", err)
	}
	m := &Memory{FD: fd}
	if err = unix.Ftruncate(fd, int64(size)); err == nil {
		m.Data, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make a guest's memory: %w", err)
	}
	return m, nil
}

// Close lets it go. Nobody may use it any more.
func (m *Memory) Close() {
	_ = unix.Munmap(m.Data)
	unix.Close(m.FD)
}

// Virtio is the memory as a device gets it.
func (m *Memory) Virtio() *virtio.Memory {
	return &virtio.Memory{Regions: []virtio.Region{{Guest: Base, User: UserBase, Data: m.Data}}}
}

// Alloc takes n bytes, aligned to 16, and returns their guest address. It
// begins anew at the end: what was allocated long ago is reused.
func (m *Memory) Alloc(n int) (addr uint64, data []byte) {
	size := (uint64(n) + 15) &^ 15
	if m.next+size > uint64(len(m.Data)) {
		m.next = uint64(len(m.Data)) / 2 // the rings are in the first half
	}
	at := m.next
	m.next += size
	m.used = max(m.used, m.next)
	return Base + at, m.Data[at : at+uint64(n)]
}

// Ring is the driver's side of one split queue.
type Ring struct {
	Size              int
	Desc, Avail, Used []byte
	// The same as guest addresses.
	DescAddr, AvailAddr, UsedAddr uint64
	Features                      uint64

	mem        *Memory
	free       []uint16
	availIdx   uint16
	usedIdx    uint16
	considered uint16 // available index at the last KickWanted
	chains     map[uint16]*chain
}

// chain is a buffer under way.
type chain struct {
	descs []uint16
	in    [][]byte
}

// NewRing puts the rings of a queue into memory.
func NewRing(m *Memory, size int, features uint64) *Ring {
	r := &Ring{Size: size, Features: features, mem: m, chains: make(map[uint16]*chain)}
	r.DescAddr, r.Desc = m.Alloc(16 * size)
	r.AvailAddr, r.Avail = m.Alloc(4 + 2*size + 2)
	r.UsedAddr, r.Used = m.Alloc(4 + 8*size + 2)
	for i := range size {
		r.free = append(r.free, uint16(i))
	}
	return r
}

// Descriptor flags.
const (
	Next     = 1
	Write    = 2
	Indirect = 4
)

// PutDesc writes a descriptor of a table as it is told.
func PutDesc(table []byte, i int, addr uint64, length uint32, flags, next uint16) {
	d := table[16*i:]
	binary.LittleEndian.PutUint64(d, addr)
	binary.LittleEndian.PutUint32(d[8:], length)
	binary.LittleEndian.PutUint16(d[12:], flags)
	binary.LittleEndian.PutUint16(d[14:], next)
}

// Add makes a buffer available: what the device reads, then rooms for what it
// writes. It panics when there are too few descriptors.
func (r *Ring) Add(out [][]byte, in []int) (head uint16) {
	c := &chain{}
	type part struct {
		addr   uint64
		length int
		flags  uint16
	}
	var parts []part
	for _, b := range out {
		addr, data := r.mem.Alloc(len(b))
		copy(data, b)
		parts = append(parts, part{addr, len(b), 0})
	}
	for _, n := range in {
		addr, data := r.mem.Alloc(n)
		c.in = append(c.in, data)
		parts = append(parts, part{addr, n, Write})
	}
	table, place := r.Desc, func(i int) int { return int(c.descs[i]) }
	indirect := r.Features&virtio.FeatureIndirectDesc != 0 && len(parts) > 1
	if indirect {
		addr, data := r.mem.Alloc(16 * len(parts))
		c.descs = r.take(1)
		PutDesc(r.Desc, int(c.descs[0]), addr, uint32(16*len(parts)), Indirect, 0)
		table, place = data, func(i int) int { return i }
	} else {
		c.descs = r.take(len(parts))
	}
	for i, p := range parts {
		next := uint16(0)
		if i < len(parts)-1 {
			p.flags |= Next
			next = uint16(place(i + 1))
		}
		PutDesc(table, place(i), p.addr, uint32(p.length), p.flags, next)
	}
	head = c.descs[0]
	r.chains[head] = c
	r.Publish(head)
	return head
}

func (r *Ring) take(n int) []uint16 {
	if n > len(r.free) {
		panic(fmt.Sprintf("virtiotest: %d descriptors wanted, %d free", n, len(r.free)))
	}
	got := append([]uint16(nil), r.free[:n]...)
	r.free = r.free[n:]
	return got
}

// Publish puts a head into the available ring, whatever it is.
func (r *Ring) Publish(head uint16) {
	binary.LittleEndian.PutUint16(r.Avail[4+2*(int(r.availIdx)%r.Size):], head)
	r.SetAvail(r.availIdx + 1)
}

// SetAvail sets the available index, whatever it is.
func (r *Ring) SetAvail(idx uint16) {
	r.availIdx = idx
	flags := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.Avail[0]))) & 0xffff
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&r.Avail[0])), uint32(idx)<<16|flags)
}

// Result is a buffer that the device has given back.
type Result struct {
	Head    uint16
	Written int
	In      [][]byte // the rooms, as they are now
}

// Bytes is what the device has written.
func (u Result) Bytes() []byte {
	var b []byte
	for _, in := range u.In {
		b = append(b, in...)
	}
	return b[:min(u.Written, len(b))]
}

// taken calls each with the buffers that the device has given back since the last time, and
// asks for an interrupt for the next.
func (r *Ring) taken(each func(head uint16, written int)) (n int) {
	idx := uint16(atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.Used[0]))) >> 16)
	for ; r.usedIdx != idx; r.usedIdx++ {
		e := r.Used[4+8*(int(r.usedIdx)%r.Size):]
		each(uint16(binary.LittleEndian.Uint32(e)), int(binary.LittleEndian.Uint32(e[4:])))
		n++
	}
	if r.Features&virtio.FeatureEventIdx != 0 {
		binary.LittleEndian.PutUint16(r.Avail[4+2*r.Size:], r.usedIdx)
	}
	return n
}

// Results takes what the device has given back since the last time.
func (r *Ring) Results() (list []Result) {
	r.taken(func(head uint16, written int) {
		u := Result{Head: head, Written: written}
		if c := r.chains[head]; c != nil {
			u.In = c.in
			r.free = append(r.free, c.descs...)
			delete(r.chains, head)
		}
		list = append(list, u)
	})
	return list
}

// KickWanted tells whether the device has asked to be kicked for one of the
// buffers that were made available since the last call (event index or flags,
// sections 2.7.7.1 and 2.7.10.1), as a driver finds out.
func (r *Ring) KickWanted() bool {
	old := r.considered
	r.considered = r.availIdx
	if r.Features&virtio.FeatureEventIdx != 0 {
		event := binary.LittleEndian.Uint16(r.Used[4+8*r.Size:])
		return r.availIdx-event-1 < r.availIdx-old
	}
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.Used[0])))&1 == 0
}

// InterruptAt asks, with the event index, for an interrupt once the device has
// given back n more buffers than Results has taken; until Results is called again.
func (r *Ring) InterruptAt(n int) {
	binary.LittleEndian.PutUint16(r.Avail[4+2*r.Size:], r.usedIdx+uint16(n)-1)
}

// Reuse makes what the device has given back available again, as it was, and
// returns how many buffers that were. It allocates nothing.
func (r *Ring) Reuse() (n int) {
	return r.taken(func(head uint16, _ int) { r.Publish(head) })
}

// Again calls each with what the device has written into the buffers that it has given back
// since the last time, and makes those available again. It returns how many they were.
func (r *Ring) Again(each func([]byte)) (n int) {
	return r.taken(func(head uint16, written int) {
		if c := r.chains[head]; c != nil {
			each(Result{Written: written, In: c.in}.Bytes())
			r.Publish(head)
		}
	})
}

// Driver is a device with its queues, without a transport.
type Driver struct {
	Memory     *Memory
	Rings      []*Ring
	Interrupts []int // of each queue, so far
	Failure    error // why the device was stopped

	dev virtio.Device
}

// Start starts a device with all its features and ring features, and queues of size.
func Start(t testing.TB, dev virtio.Device, size int, ringFeatures uint64) *Driver {
	t.Helper()
	return StartIn(t, NewMemory(t, 8<<20), dev, size, ringFeatures)
}

// StartIn is Start in memory that there is already.
func StartIn(t testing.TB, m *Memory, dev virtio.Device, size int, ringFeatures uint64) *Driver {
	t.Helper()
	d := &Driver{Memory: m, dev: dev, Interrupts: make([]int, dev.Queues())}
	features := dev.Features() | virtio.FeatureVersion1 | ringFeatures
	var queues []*virtio.Queue
	for i := range dev.Queues() {
		r := NewRing(d.Memory, size, features)
		q, err := virtio.NewQueue(virtio.QueueConfig{
			Index: i, Size: size, Features: features, Memory: d.Memory.Virtio(),
			Desc: r.DescAddr - Base + UserBase, Avail: r.AvailAddr - Base + UserBase, Used: r.UsedAddr - Base + UserBase,
			Interrupt: func() { d.Interrupts[i]++ },
			Fail:      d.fail,
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Rings, queues = append(d.Rings, r), append(queues, q)
	}
	if err := dev.Start(features, queues); err != nil {
		t.Fatal(err)
	}
	for i := range queues {
		d.Kick(i)
	}
	return d
}

func (d *Driver) fail(err error) {
	if d.Failure == nil {
		d.Failure = err
		d.dev.Stop()
	}
}

// Kick tells the device of new buffers in queue i.
func (d *Driver) Kick(i int) {
	if d.Failure != nil {
		return
	}
	if err := virtio.Guard(func() error { return d.dev.Kick(i) }); err != nil {
		d.fail(err)
	}
}

// Do makes one buffer available, kicks, and returns the answer.
func (d *Driver) Do(t testing.TB, queue int, out []byte, in int) []byte {
	t.Helper()
	var rooms []int
	if in > 0 {
		rooms = []int{in}
	}
	head := d.Rings[queue].Add([][]byte{out}, rooms)
	d.Kick(queue)
	for _, u := range d.Rings[queue].Results() {
		if u.Head == head {
			return u.Bytes()
		}
	}
	t.Fatalf("no answer to % x in queue %d (device stopped: %v)", out, queue, d.Failure)
	return nil
}
