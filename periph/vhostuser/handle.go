package vhostuser

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"

	"golang.org/x/sys/unix"
)

// ringFeatures are what this transport offers for every device.
const ringFeatures = virtio.FeatureVersion1 | virtio.FeatureIndirectDesc | virtio.FeatureEventIdx | featureProtocol

func (c *conn) offeredProtocol() uint64 {
	p := uint64(protocolMQ | protocolReplyAck | protocolConfig | protocolBackendReq | protocolPlug)
	if c.s.opts.InBand {
		p |= protocolInBand
	}
	if c.s.opts.Bells != nil {
		p |= protocolBells
	}
	return p
}

// handle carries out one message and answers it.
func (c *conn) handle(m *message) error {
	var reply []byte
	var err error
	if want, known := payloadSizes[m.request]; known && want >= 0 && len(m.payload) != want {
		err = fmt.Errorf("%w: %s of %d bytes, which has %d", errProtocol, m.name(), len(m.payload), want)
	} else {
		reply, err = c.carryOut(m)
	}
	switch {
	case reply != nil:
		// An answer is owed whatever happened: the guest waits for it.
		if e := c.send(c.fd, m.request, version|flagReply, reply); err == nil {
			err = e
		}
	case m.flags&flagAck != 0 && c.protocol&protocolReplyAck != 0:
		var status [8]byte
		if err != nil {
			status[0] = 1
		}
		if err == errUnplugged {
			err = nil
		}
		if e := c.send(c.fd, m.request, version|flagReply, status[:]); err == nil {
			err = e
		}
	}
	return err
}

// payloadSizes of the messages, -1 where they vary.
var payloadSizes = map[uint32]int{
	getFeatures: 0, setFeatures: 8, setOwner: 0, resetOwner: 0, setMemTable: -1, setVringNum: 8,
	setVringAddr: 40, setVringBase: 8, getVringBase: 8, setVringKick: 8, setVringCall: 8, setVringErr: 8,
	getProtocolFeatures: 0, setProtocolFeatures: 8, getQueueNum: 0, setVringEnable: 8, setBackendReqFD: 0,
	getConfig: -1, setConfig: -1, vringKick: 8, getPlugged: 0,
}

func u64(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }

// carryOut does what a message says. A reply other than nil is the message's
// own; others are only acknowledged.
func (c *conn) carryOut(m *message) (reply []byte, err error) {
	if c.dev == nil {
		return c.withoutDevice(m)
	}
	switch m.request {
	case setOwner, setVringErr:
		return nil, nil
	case getFeatures:
		return u64(c.dev.Features() | ringFeatures), nil
	case getPlugged:
		c.told = true
		return u64(uint64(c.dev.ID())), nil
	case setFeatures:
		return nil, c.setFeatures(m.u64(0))
	case getProtocolFeatures:
		return u64(c.offeredProtocol()), nil
	case setProtocolFeatures:
		if extra := m.u64(0) &^ c.offeredProtocol(); extra != 0 {
			return nil, fmt.Errorf("%w: protocol features %#x that were not offered", errProtocol, extra)
		}
		c.protocol = m.u64(0)
		return nil, nil
	case getQueueNum:
		return u64(uint64(len(c.rings))), nil
	case resetOwner:
		c.stop()
		c.forget()
		return nil, nil
	case setMemTable:
		return nil, c.setMemTable(m)
	case setBackendReqFD:
		return nil, c.setBackend(m)
	case getConfig:
		return c.getConfig(m)
	case setConfig:
		return nil, c.setConfig(m)
	}
	return c.ringMessage(m)
}

// withoutDevice is carryOut where nothing is plugged. Where something was, its driver still
// takes its leave of it.
func (c *conn) withoutDevice(m *message) (reply []byte, err error) {
	switch m.request {
	case getFeatures:
		return u64(ringFeatures), nil
	case getProtocolFeatures:
		return u64(c.offeredProtocol()), nil
	case setProtocolFeatures:
		c.protocol = m.u64(0) & c.offeredProtocol()
	case setBackendReqFD:
		return nil, c.setBackend(m)
	case getQueueNum, getVringBase, getPlugged:
		return make([]byte, 8), nil
	case getConfig:
		return make([]byte, len(m.payload)), nil
	case vringKick:
		return nil, errUnplugged
	}
	return nil, nil
}

// setBackend takes what our own requests go through.
func (c *conn) setBackend(m *message) error {
	if len(m.fds) != 1 {
		return fmt.Errorf("%w: %s with %d file descriptors", errProtocol, m.name(), len(m.fds))
	}
	if c.backend >= 0 {
		unix.Close(c.backend)
	}
	c.backend = m.takeFD(0)
	return nil
}

// setFeatures is the driver's choice. virtio_uml makes it before it sets up the queues.
func (c *conn) setFeatures(f uint64) error {
	if extra := f &^ (c.dev.Features() | ringFeatures); extra != 0 {
		return fmt.Errorf("%w: features %#x that were not offered", errProtocol, extra)
	}
	if f&virtio.FeatureVersion1 == 0 {
		return fmt.Errorf("%w: a driver without VIRTIO_F_VERSION_1", errProtocol)
	}
	c.stop()
	c.forget()
	c.features, c.sparse = f, false
	return nil
}

// forget drops what a driver has waited for that begins anew.
func (c *conn) forget() {
	for i := range c.rings {
		c.rings[i].again = nil
	}
}

// getConfig answers with the part of the configuration space that was asked
// for, and zeros beyond its end.
func (c *conn) getConfig(m *message) ([]byte, error) {
	if len(m.payload) < 12 {
		return []byte{}, fmt.Errorf("%w: %s of %d bytes", errProtocol, m.name(), len(m.payload))
	}
	offset, size := m.u32(0), m.u32(4)
	if size > maxConfigSize || offset > maxConfigSize || int(size) != len(m.payload)-12 {
		return []byte{}, fmt.Errorf("%w: %s of %d bytes at %d", errProtocol, m.name(), size, offset)
	}
	reply := make([]byte, len(m.payload))
	copy(reply, m.payload[:12])
	if config := c.dev.Config(); int(offset) < len(config) {
		copy(reply[12:], config[offset:])
	}
	return reply, nil
}

func (c *conn) setConfig(m *message) error {
	if len(m.payload) < 12 {
		return fmt.Errorf("%w: %s of %d bytes", errProtocol, m.name(), len(m.payload))
	}
	offset, size := uint64(m.u32(0)), uint64(m.u32(4))
	if size != uint64(len(m.payload)-12) || offset+size > uint64(len(c.dev.Config())) {
		return fmt.Errorf("%w: %s of %d bytes at %d, of %d", errProtocol, m.name(), size, offset, len(c.dev.Config()))
	}
	return c.dev.SetConfig(int(offset), m.payload[12:])
}

// setMemTable maps the guest's memory. Its file must be as long as it says, and
// is looked at before: what lies beyond the end of a file faults. The message may have
// room for more regions than there are, as User Mode Linux' with highmem has (Linux 6.12).
func (c *conn) setMemTable(m *message) error {
	if len(m.payload) < 8 {
		return fmt.Errorf("%w: %s of %d bytes", errProtocol, m.name(), len(m.payload))
	}
	n := int(m.u32(0))
	if n < 1 || n > maxRegions || len(m.payload) < 8+n*regionSize || len(m.fds) != n {
		return fmt.Errorf("%w: %s of %d regions with %d bytes and %d file descriptors", errProtocol, m.name(), n, len(m.payload), len(m.fds))
	}
	c.stop()
	c.unmap()
	if err := c.mapAll(m, n); err != nil {
		return err
	}
	return c.resume() // QEMU changes the memory of devices that are at work
}

// mapAll maps n regions.
func (c *conn) mapAll(m *message, n int) error {
	room := uint64(maxMemory)
	if limit := c.s.opts.Memory; limit > 0 {
		room = limit
	}
	for i := range n {
		at := 8 + i*regionSize
		guest, size, user, offset := m.u64(at), m.u64(at+8), m.u64(at+16), m.u64(at+24)
		if size > room {
			return fmt.Errorf("%w: memory region %d of %d bytes, where there may be %d more", errProtocol, i, size, room)
		}
		room -= size
		data, err := mapRegion(m.fds[i], size, offset)
		if err != nil {
			return fmt.Errorf("memory region %d: %w", i, err)
		}
		c.mapped = append(c.mapped, data)
		within := data[offset%pageSize:]
		if guest+size < guest || user+size < user {
			return fmt.Errorf("%w: memory region %d wraps around", errProtocol, i)
		}
		c.memory.Regions = append(c.memory.Regions, virtio.Region{Guest: guest, User: user, Data: within[:size:size]})
	}
	return nil
}

var pageSize = uint64(unix.Getpagesize())

// maxMemory is more than a guest can map in a 47-bit address space.
const maxMemory = 1 << 46

func mapRegion(fd int, size, offset uint64) ([]byte, error) {
	if size == 0 || size > maxMemory || offset > maxMemory {
		return nil, fmt.Errorf("%w: %d bytes at %d", errProtocol, size, offset)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("look at the memory file: %w", err)
	}
	if uint64(st.Size) < offset+size {
		return nil, fmt.Errorf("%w: %d bytes at %d of a memory file of %d", errProtocol, size, offset, st.Size)
	}
	start := offset - offset%pageSize
	data, err := unix.Mmap(fd, int64(start), int(offset-start+size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map guest memory: %w", err)
	}
	return data, nil
}

func (c *conn) unmap() {
	for _, m := range c.mapped {
		_ = unix.Munmap(m)
	}
	c.mapped, c.memory.Regions = nil, nil
}
