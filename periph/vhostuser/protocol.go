// Package vhostuser is the back end of the vhost-user protocol (QEMU
// docs/interop/vhost-user.rst): it carries a virtio device to a kernel that
// connects to its Unix socket. The front end that it is made for is Linux
// arch/um/drivers/virtio_uml.c.
//
// In virtual time notifications travel as messages on the sockets (in band), so
// that a device has answered before its guest goes on; in real time they travel
// through eventfds.
package vhostuser

import "encoding/binary"

// Requests of the front end.
const (
	getFeatures         = 1
	setFeatures         = 2
	setOwner            = 3
	resetOwner          = 4
	setMemTable         = 5
	setVringNum         = 8
	setVringAddr        = 9
	setVringBase        = 10
	getVringBase        = 11
	setVringKick        = 12
	setVringCall        = 13
	setVringErr         = 14
	getProtocolFeatures = 15
	setProtocolFeatures = 16
	getQueueNum         = 17
	setVringEnable      = 18
	setBackendReqFD     = 21
	getConfig           = 24
	setConfig           = 25
	vringKick           = 35
	getPlugged          = 1001 // VHOST_USER_UM_GET_PLUGGED, of firmware/kernel/patches
)

var requestNames = map[uint32]string{
	getFeatures: "GET_FEATURES", setFeatures: "SET_FEATURES", setOwner: "SET_OWNER", resetOwner: "RESET_OWNER",
	setMemTable: "SET_MEM_TABLE", setVringNum: "SET_VRING_NUM", setVringAddr: "SET_VRING_ADDR",
	setVringBase: "SET_VRING_BASE", getVringBase: "GET_VRING_BASE", setVringKick: "SET_VRING_KICK",
	setVringCall: "SET_VRING_CALL", setVringErr: "SET_VRING_ERR", getProtocolFeatures: "GET_PROTOCOL_FEATURES",
	setProtocolFeatures: "SET_PROTOCOL_FEATURES", getQueueNum: "GET_QUEUE_NUM", setVringEnable: "SET_VRING_ENABLE",
	setBackendReqFD: "SET_BACKEND_REQ_FD", getConfig: "GET_CONFIG", setConfig: "SET_CONFIG", vringKick: "VRING_KICK",
	getPlugged: "UM_GET_PLUGGED",
}

// Requests of the back end.
const (
	backendConfigChange = 2
	backendVringCall    = 4
	backendPlug         = 1001 // VHOST_USER_SLAVE_UM_PLUG_MSG, of firmware/kernel/patches
)

// Flags of a message. The low two bits are the protocol's version.
const (
	version     = 1
	versionMask = 3
	flagReply   = 1 << 2
	flagAck     = 1 << 3 // the sender wants a reply
)

// featureProtocol is VHOST_USER_F_PROTOCOL_FEATURES, a virtio feature bit that
// only the two ends of the socket know of.
const featureProtocol = 1 << 30

// Protocol features.
const (
	protocolMQ         = 1 << 0
	protocolReplyAck   = 1 << 3
	protocolBackendReq = 1 << 5
	protocolConfig     = 1 << 9
	protocolInBand     = 1 << 14
	protocolPlug       = 1 << 61 // VHOST_USER_PROTOCOL_F_UM_PLUG, of firmware/kernel/patches
	protocolBells      = 1 << 62 // VHOST_USER_PROTOCOL_F_UM_BELLS, of firmware/kernel/patches
)

const (
	headerSize    = 12
	maxPayload    = 1024 // the largest message, SET_CONFIG or SET_MEM_TABLE, is well below
	maxRegions    = 8
	maxFDs        = maxRegions
	maxConfigSize = 256
	regionSize    = 32
	noFD          = 1 << 8 // in the index of SET_VRING_KICK and the like
	bellShift     = 32     // of the doorbell in SET_VRING_KICK
)

// message is one message of the protocol. Numbers are in the host's byte order.
type message struct {
	request uint32
	flags   uint32
	payload []byte
	fds     []int // the receiver's to close
}

func (m *message) u32(off int) uint32 { return binary.NativeEndian.Uint32(m.payload[off:]) }
func (m *message) u64(off int) uint64 { return binary.NativeEndian.Uint64(m.payload[off:]) }

// takeFD takes the i-th file descriptor out of the message.
func (m *message) takeFD(i int) int {
	fd := m.fds[i]
	m.fds[i] = -1
	return fd
}

func appendMessage(b []byte, request, flags uint32, payload []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, request)
	b = binary.NativeEndian.AppendUint32(b, flags)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}
