// Package net is the Ethernet ports of a board: virtio-net devices (virtio 1.2
// section 5.1; Linux drivers/net/virtio_net.c) with one pair of queues and a
// control queue.
package net

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"

	"backplane/periph/virtio"
	"backplane/simbus/ether"
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
	featureControl       = 1 << 17
	featureControlRX     = 1 << 18
	featureControlMAC    = 1 << 23
	featureSpeedDuplex   = 1 << 63

	offloadFeatures = featureChecksum | featureGuestChecksum | featureGuestTSO4 | featureGuestTSO6 |
		featureGuestECN | featureHostTSO4 | featureHostTSO6 | featureHostECN
)

// The virtqueues, named from the guest's side.
const (
	receiveQueue = iota
	transmitQueue
	controlQueue
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
	configSize    = 17 // up to duplex
	configStatus  = 6
	configSpeed   = 12 // in Mbit/s
	configDuplex  = 16
	statusLinkUp  = 1
	unknownSpeed  = 0xffffffff
	fullDuplex    = 1
	unknownDuplex = 0xff
	maxSpeed      = 0x7fffffff
)

// NIC is one Ethernet port. It is a [virtio.Device].
type NIC struct {
	// Port is where frames go. The NIC has none until it is on a segment.
	Port *ether.Port
	// Offload lets guests leave checksums and segmentation to each other. It
	// is for ports whose segment is Direct.
	Offload bool
	// ConfigChanged, if set, is called when the link goes up or down.
	ConfigChanged func()

	virtio.Plain
	name      string
	permanent address
	down      atomic.Bool // read by senders too
	speed     atomic.Int64
	tx        transmitter
	commands  *virtio.Queue

	// The receiving side is fed from other boards' goroutines on a direct segment.
	mu       sync.Mutex
	rx       *virtio.Queue
	mac      address // the guest can change it
	filter   filter
	features uint64
	taken    []*virtio.Chain // buffers taken from rx and not used yet
	failure  func()          // stops a receiver that was found broken, once mu is free
	backlog                  // what came while there were no buffers
}

var _ virtio.Device = (*NIC)(nil)

// New makes a port with that hardware address.
func New(name string, mac net.HardwareAddr) *NIC {
	n := &NIC{Plain: virtio.NewPlain(name, virtio.IDNet, queueCount), name: name}
	copy(n.permanent[:], mac)
	n.mac = n.permanent
	return n
}

// Name is the port's name on its board.
func (n *NIC) Name() string { return n.name }

// MAC is the port's hardware address, with which it was made.
func (n *NIC) MAC() net.HardwareAddr { return n.permanent[:] }

// SetLink tells the guest whether its link is up.
func (n *NIC) SetLink(up bool) {
	if n.down.Swap(!up) == !up {
		return
	}
	if n.ConfigChanged != nil {
		n.ConfigChanged()
	}
}

// SetSpeed says how fast the port's cable is, in bits a second. A driver asks when
// the link comes up.
func (n *NIC) SetSpeed(bits int64) { n.speed.Store(bits) }

// Features are the speed, the address, the link's state, merged buffers, filters, and
// offloads where they help.
func (n *NIC) Features() uint64 {
	f := uint64(featureSpeedDuplex | featureMAC | featureStatus | featureMergeBuffers | featureControl | featureControlRX | featureControlMAC)
	if n.Offload {
		f |= offloadFeatures
	}
	return f
}

// Config is struct virtio_net_config, as far as it is offered.
func (n *NIC) Config() []byte {
	b := make([]byte, configSize)
	n.mu.Lock()
	copy(b, n.mac[:])
	n.mu.Unlock()
	binary.LittleEndian.PutUint32(b[configSpeed:], unknownSpeed)
	b[configDuplex] = unknownDuplex
	if n.Up() {
		binary.LittleEndian.PutUint16(b[configStatus:], statusLinkUp)
		if bits := n.speed.Load(); bits > 0 {
			binary.LittleEndian.PutUint32(b[configSpeed:], uint32(min(max(1, bits/1e6), maxSpeed)))
			b[configDuplex] = fullDuplex
		}
	}
	return b
}

// Start takes the queues.
func (n *NIC) Start(features uint64, queues []*virtio.Queue) error {
	if err := n.Started(queues, controlQueue); err != nil { // it can do without the last one
		return err
	}
	n.tx.queue = queues[transmitQueue]
	if len(queues) > controlQueue {
		n.commands = queues[controlQueue]
	}
	n.mu.Lock()
	n.rx, n.features = queues[receiveQueue], features
	n.filter = filter{all: true} // until the driver says otherwise; one without commands never does
	n.mu.Unlock()
	return nil
}

// Stop lets go of the queues, and of what was under way to the guest.
func (n *NIC) Stop() {
	n.tx.stop()
	n.commands = nil
	n.mu.Lock()
	n.mac = n.permanent
	n.rx, n.taken, n.backlog = nil, nil, backlog{}
	n.mu.Unlock()
}

// Kick sends what the guest has queued, goes on receiving, or takes commands.
func (n *NIC) Kick(queue int) error {
	switch queue {
	case receiveQueue:
		return n.drain()
	case controlQueue:
		return n.control()
	}
	return n.transmit()
}

// Up tells whether the link is up.
func (n *NIC) Up() bool { return !n.down.Load() }
