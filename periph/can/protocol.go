package can

// Queues (virtio 1.4, "CAN Device"; Linux drivers/net/can/virtio_can.c).
const (
	queueTx = iota
	queueRx
	queueControl
	queueCount
)

// Feature bits.
const (
	featureClassic   = 1 << 0
	featureFD        = 1 << 1
	featureRemote    = 1 << 2
	featureLateTxAck = 1 << 3
)

// Layouts (Linux include/uapi/linux/virtio_can.h), in bytes.
const (
	configSize  = 2  // struct virtio_can_config
	headSize    = 16 // struct virtio_can_tx_out and virtio_can_rx, without the data
	resultSize  = 1
	controlSize = 2 // struct virtio_can_control_out
)

// Offsets in the head of a message.
const (
	headType   = 0
	headLength = 2
	headFlags  = 8
	headID     = 12
)

// Types of messages.
const (
	typeTx    = 0x0001
	typeRx    = 0x0101
	typeStart = 0x0201
	typeStop  = 0x0202
)

// Flags of a message.
const (
	flagExtended = 0x8000
	flagFD       = 0x4000
	flagRemote   = 0x2000
)

// Results of a message.
const (
	resultOK    = 0
	resultNotOK = 1
)

// statusBusOff is the bit of the configuration space's status.
const statusBusOff = 1 << 0
