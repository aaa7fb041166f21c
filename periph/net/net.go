// Package net is the Ethernet ports of a board: virtio-net devices (virtio 1.2
// section 5.1; Linux drivers/net/virtio_net.c) with one pair of queues.
package net

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"backplane/periph/virtio"
	"backplane/simbus"
)

// Feature bits (section 5.1.3).
const (
	featureChecksum      = 1 << 0
	featureGuestChecksum = 1 << 1
	featureMAC           = 1 << 5
	featureGuestTSO4     = 1 << 7
	featureGuestTSO6     = 1 << 8
	featureGuestECN      = 1 << 9
	featureHostTSO4      = 1 << 11
	featureHostTSO6      = 1 << 12
	featureHostECN       = 1 << 13
	featureMergeBuffers  = 1 << 15
	featureStatus        = 1 << 16

	offloadFeatures = featureChecksum | featureGuestChecksum | featureGuestTSO4 | featureGuestTSO6 |
		featureGuestECN | featureHostTSO4 | featureHostTSO6 | featureHostECN
)

// The virtqueues, named from the guest's side.
const (
	receiveQueue = iota
	transmitQueue
	queueCount
)

// headerSize is the size of struct virtio_net_hdr_v1 in bytes, which a device
// of virtio 1 uses whatever was negotiated.
const headerSize = 12

// Fields and bits of the header.
const (
	headerNumBuffers = 10
	needsChecksum    = 1
	gsoNone          = 0
	gsoTCP4          = 1
	gsoTCP6          = 4
	gsoECN           = 0x80
)

// Configuration space (struct virtio_net_config).
const (
	configSize   = 8 // up to status
	configStatus = 6
	statusLinkUp = 1
)

// backlogLimit is how much a NIC keeps for a guest that has no buffer for it, in bytes.
const backlogLimit = 4 << 20

var (
	errBacklog = errors.New("receiver too slow")
	errOff     = errors.New("receiver off")
	errOffload = errors.New("receiver cannot take frames that are still to be cut up")
)

// NIC is one Ethernet port. It is a [virtio.Device].
type NIC struct {
	// Port is where frames go. The NIC has none until it is on a segment.
	Port *simbus.Port
	// Offload lets guests leave checksums and segmentation to each other. It
	// is for ports whose segment is Direct.
	Offload bool
	// ConfigChanged, if set, is called when the link goes up or down.
	ConfigChanged func()

	name string
	mac  [6]byte
	down bool
	tx   *virtio.Queue

	// The receiving side is fed from other boards' goroutines on a direct segment.
	mu       sync.Mutex
	rx       *virtio.Queue
	features uint64
	taken    []*virtio.Chain // buffers taken from rx and not used yet
	backlog  []stored        // what came while there were no buffers
	waiting  int             // bytes in backlog
}

type stored struct {
	data    []byte
	offload simbus.Offload
}

var _ virtio.Device = (*NIC)(nil)

// New makes a port with that hardware address.
func New(name string, mac net.HardwareAddr) *NIC {
	n := &NIC{name: name}
	copy(n.mac[:], mac)
	return n
}

// Name is the port's name on its board.
func (n *NIC) Name() string { return n.name }

// MAC is the port's hardware address.
func (n *NIC) MAC() net.HardwareAddr { return n.mac[:] }

// SetLink tells the guest whether its link is up.
func (n *NIC) SetLink(up bool) {
	if n.down == !up {
		return
	}
	n.down = !up
	if n.ConfigChanged != nil {
		n.ConfigChanged()
	}
}

// ID is virtio.IDNet.
func (n *NIC) ID() uint32 { return virtio.IDNet }

// Features are the address, the link's state, merged buffers, and offloads where they help.
func (n *NIC) Features() uint64 {
	f := uint64(featureMAC | featureStatus | featureMergeBuffers)
	if n.Offload {
		f |= offloadFeatures
	}
	return f
}

// Queues is two.
func (n *NIC) Queues() int { return queueCount }

// Config is struct virtio_net_config, as far as it is offered.
func (n *NIC) Config() []byte {
	b := make([]byte, configSize)
	copy(b, n.mac[:])
	if !n.down {
		binary.LittleEndian.PutUint16(b[configStatus:], statusLinkUp)
	}
	return b
}

// SetConfig refuses: a driver of virtio 1 writes nothing.
func (n *NIC) SetConfig(int, []byte) error {
	return fmt.Errorf("%s: write to the configuration space, which is read-only", n.name)
}

// Start takes the queues.
func (n *NIC) Start(features uint64, queues []*virtio.Queue) error {
	if len(queues) < queueCount || queues[receiveQueue] == nil || queues[transmitQueue] == nil {
		return errors.New(n.name + ": started without its queues")
	}
	n.tx = queues[transmitQueue]
	n.mu.Lock()
	n.rx, n.features = queues[receiveQueue], features
	n.mu.Unlock()
	return nil
}

// Stop lets go of the queues, and of what was under way to the guest.
func (n *NIC) Stop() {
	n.tx = nil
	n.mu.Lock()
	n.rx, n.taken, n.backlog, n.waiting = nil, nil, nil, 0
	n.mu.Unlock()
}

// Kick sends what the guest has queued, or goes on receiving.
func (n *NIC) Kick(queue int) error {
	if queue == receiveQueue {
		return n.drain()
	}
	return n.transmit()
}

func (n *NIC) transmit() error {
	for sent := false; n.tx != nil; sent = true {
		chain, err := n.tx.Next()
		if err != nil {
			return fmt.Errorf("%s: take a frame: %w", n.name, err)
		}
		if chain == nil {
			if sent {
				n.tx.Notify()
			}
			return nil
		}
		f, err := n.frame(chain)
		if err != nil {
			return err
		}
		if n.Port != nil && !n.down {
			n.Port.Send(&f)
		}
		n.tx.Done(chain, 0)
	}
	return nil
}

// frame takes the header off a chain.
func (n *NIC) frame(chain *virtio.Chain) (f simbus.Frame, err error) {
	var h [headerSize]byte
	if chain.WriteLen() > 0 || chain.CopyOut(h[:], 0) < headerSize {
		return f, fmt.Errorf("%s: frame of %d bytes to read and %d to write: must be a header of %d and a frame, only to read",
			n.name, chain.ReadLen(), chain.WriteLen(), headerSize)
	}
	f.Offload = simbus.Offload{
		Flags: h[0] & needsChecksum, GSOType: h[1],
		HeaderLen: binary.LittleEndian.Uint16(h[2:]), GSOSize: binary.LittleEndian.Uint16(h[4:]),
		ChecksumStart: binary.LittleEndian.Uint16(h[6:]), ChecksumOffs: binary.LittleEndian.Uint16(h[8:]),
	}
	if !n.Offload && (f.Offload.Flags != 0 || f.Offload.GSOType != gsoNone) {
		return f, fmt.Errorf("%s: frame with work left to the device, which was not negotiated", n.name)
	}
	skip := headerSize
	for _, part := range chain.Readable {
		if skip >= len(part) {
			skip -= len(part)
			continue
		}
		f.Parts = append(f.Parts, part[skip:])
		skip = 0
	}
	return f, nil
}

// Receive gives the guest a frame. It may be called on any goroutine on a direct
// segment. The error says why the frame was dropped.
func (n *NIC) Receive(f *simbus.Frame) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rx == nil || n.down {
		return errOff
	}
	if !n.canTake(f.Offload) {
		return errOffload
	}
	if len(n.backlog) == 0 {
		var ok bool
		// The guard is for the memory of this guest, which is not the sender's fault.
		if err := virtio.Guard(func() (err error) { ok, err = n.put(f); return err }); err != nil {
			rx := n.rx
			n.rx = nil
			n.Port.Domain().Post(func() { rx.Fail(err) })
			return err
		}
		if ok {
			n.rx.Notify()
			return nil
		}
	}
	size := f.Len()
	if n.waiting+size > backlogLimit {
		return errBacklog
	}
	data := make([]byte, 0, size)
	for _, p := range f.Parts {
		data = append(data, p...)
	}
	n.backlog = append(n.backlog, stored{data, f.Offload})
	n.waiting += size
	return nil
}

// canTake tells whether the guest has agreed to work that a sender left.
func (n *NIC) canTake(o simbus.Offload) bool {
	need := uint64(0)
	if o.Flags&needsChecksum != 0 {
		need |= featureGuestChecksum
	}
	if o.GSOType&gsoECN != 0 {
		need |= featureGuestECN
	}
	switch o.GSOType &^ gsoECN {
	case gsoNone:
	case gsoTCP4:
		need |= featureGuestTSO4
	case gsoTCP6:
		need |= featureGuestTSO6
	default:
		return false
	}
	return n.features&need == need
}

// drain gives the guest what waited for buffers.
func (n *NIC) drain() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rx == nil {
		return nil
	}
	given := 0
	for _, s := range n.backlog {
		ok, err := n.put(&simbus.Frame{Parts: [][]byte{s.data}, Offload: s.offload})
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		n.waiting -= len(s.data)
		given++
	}
	if n.backlog = n.backlog[given:]; len(n.backlog) == 0 {
		n.backlog = nil
	}
	if given > 0 {
		n.rx.Notify()
	}
	return nil
}

// put copies a frame into as many buffers as it needs, false if there are too
// few. Buffers taken meanwhile are kept for the next attempt.
func (n *NIC) put(f *simbus.Frame) (bool, error) {
	need, room := headerSize+f.Len(), 0
	count := 0
	for ; count < len(n.taken) && room < need; count++ {
		room += n.taken[count].WriteLen()
	}
	for room < need {
		chain, err := n.rx.Next()
		if err != nil {
			return false, fmt.Errorf("%s: take a receive buffer: %w", n.name, err)
		}
		if chain == nil {
			return false, nil
		}
		if chain.ReadLen() > 0 || chain.WriteLen() < headerSize {
			return false, fmt.Errorf("%s: receive buffer of %d bytes to read and %d to write: must be at least %d, only to write",
				n.name, chain.ReadLen(), chain.WriteLen(), headerSize)
		}
		n.taken = append(n.taken, chain)
		room += chain.WriteLen()
		count++
		if count > 1 && n.features&featureMergeBuffers == 0 {
			return false, fmt.Errorf("%s: receive buffer too small for a frame of %d bytes, and merging was not negotiated", n.name, f.Len())
		}
	}
	n.fill(n.taken[:count], f)
	n.taken = append(n.taken[:0], n.taken[count:]...)
	return true, nil
}

// fill copies a frame, with its header, over the buffers.
func (n *NIC) fill(chains []*virtio.Chain, f *simbus.Frame) {
	var h [headerSize]byte
	o := &f.Offload
	h[0], h[1] = o.Flags, o.GSOType
	binary.LittleEndian.PutUint16(h[2:], o.HeaderLen)
	binary.LittleEndian.PutUint16(h[4:], o.GSOSize)
	binary.LittleEndian.PutUint16(h[6:], o.ChecksumStart)
	binary.LittleEndian.PutUint16(h[8:], o.ChecksumOffs)
	binary.LittleEndian.PutUint16(h[headerNumBuffers:], uint16(len(chains)))

	src := cursor{parts: f.Parts}
	for i, chain := range chains {
		written := 0
		for _, part := range chain.Writable {
			if i == 0 && written < headerSize {
				k := copy(part, h[written:])
				written += k
				part = part[k:]
			}
			written += src.copy(part)
		}
		n.rx.Use(chain, written)
	}
	n.rx.Publish()
}

// cursor reads a frame's parts one after another.
type cursor struct {
	parts  [][]byte
	offset int // in the first of them
}

func (c *cursor) copy(to []byte) int {
	n := 0
	for n < len(to) && len(c.parts) > 0 {
		k := copy(to[n:], c.parts[0][c.offset:])
		n += k
		if c.offset += k; c.offset == len(c.parts[0]) {
			c.parts, c.offset = c.parts[1:], 0
		}
	}
	return n
}

// Up tells whether the link is up.
func (n *NIC) Up() bool { return !n.down }
