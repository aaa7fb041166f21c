package virtio

// Device numbers (virtio 1.2 section 5; Linux include/uapi/linux/virtio_ids.h).
const (
	IDNet     = 1
	IDBlock   = 2
	IDConsole = 3
	IDRNG     = 4
	IDBalloon = 5
	ID9P      = 9
	IDI2C     = 34
	IDCAN     = 36
	IDGPIO    = 41
	IDSPI     = 45
	IDUART    = 62 // our own: virtio 1.4 assigns none to it, and no other device this number
)

// Feature bits that belong to the transport and the rings (section 6).
const (
	FeatureIndirectDesc = 1 << 28
	FeatureEventIdx     = 1 << 29
	FeatureVersion1     = 1 << 32
)

// Device is one virtio device: a controller. Its methods are called on the
// goroutine that drives its board, one at a time. A device may push to its
// queues at any later time on that goroutine, from the clock or from a wire,
// until Stop.
type Device interface {
	// ID is the device number, such as IDI2C.
	ID() uint32
	// Features are the device's own feature bits; the transport adds its own.
	Features() uint64
	// Queues is how many virtqueues the device has.
	Queues() int
	// Config is the device's configuration space as it is now. The transport
	// copies from it and never writes to it.
	Config() []byte
	// SetConfig is a write to the configuration space: data at offset, which
	// the transport has checked to lie within len(Config()).
	SetConfig(offset int, data []byte) error
	// Start says that the driver is ready: the features that it accepted, and
	// the queues, of which those that the driver did not set up are nil.
	// A queue may already hold buffers.
	Start(features uint64, queues []*Queue) error
	// Kick says that the driver has put buffers into queue n.
	// An error means that the driver broke the device's protocol: the device is stopped.
	Kick(n int) error
	// Stop says that the driver is gone (reset, power-off, broken). The queues
	// must not be touched any more. Start may follow.
	Stop()
}

// Drainer is a [Device] whose requests are under way for a time, as those of a disk are. A
// driver can take a queue away without giving them up.
type Drainer interface {
	// Drain ends and answers what is under way before it returns, whatever time that would
	// take otherwise. Stop follows.
	Drain()
}
