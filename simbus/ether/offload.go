package ether

import "encoding/binary"

// Bits and values of Offload (struct virtio_net_hdr, virtio 1.2 section 5.1.6).
const (
	needsChecksum = 1
	gsoNone       = 0
	gsoTCP4       = 1
	gsoTCP6       = 4
	gsoUDP        = 5
	gsoECN        = 0x80
)

// minSegment is the least that a frame may be cut into, in bytes of payload.
// Linux does not go below 48 (TCP_MIN_MSS less the options).
const minSegment = 48

// Wire calls yield with the frames that a real NIC would put on the wire for
// this one: with checksums filled in, and cut up where the sender has left that
// to others. It returns false, and yields nothing, if what the sender left makes
// no sense. A frame that leaves nothing is yielded itself; others have memory of
// their own.
func (f *Frame) Wire(yield func(*Frame)) bool {
	o := f.Offload
	if o == (Offload{}) {
		yield(f)
		return true
	}
	c := f.Copy()
	c.Offload = Offload{}
	b := c.Parts[0]
	if o.GSOType&^gsoECN == gsoNone {
		if o.Flags&needsChecksum != 0 && !fill(b, int(o.ChecksumStart), int(o.ChecksumOffs)) {
			return false
		}
		yield(c)
		return true
	}
	cut, ok := newCutter(b, o)
	if !ok {
		return false
	}
	for at := cut.headers; at < len(b); at += cut.size {
		yield(&Frame{Parts: [][]byte{cut.segment(at)}})
	}
	return true
}

// fill completes a checksum whose field holds that of the pseudo header.
func fill(b []byte, start, offset int) bool {
	if start+offset+2 > len(b) {
		return false
	}
	sum := ^fold(add(0, b[start:]))
	if sum == 0 {
		sum = 0xffff // in UDP 0 stands for none; to others it is the same
	}
	binary.BigEndian.PutUint16(b[start+offset:], sum)
	return true
}

// add adds bytes to a checksum (RFC 1071).
func add(sum uint64, b []byte) uint64 {
	for len(b) >= 4 {
		sum += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		sum += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) > 0 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// cutter cuts a frame into segments, each with the frame's headers.
type cutter struct {
	frame            []byte
	network          int  // where the IP header begins
	transport        int  // where the TCP or UDP header begins
	headers          int  // where the payload begins
	size             int  // bytes of payload in each
	v6, udp, ecn     bool // which protocols
	checksum, number int  // where in the transport header the checksum is; of segments so far
}

// Bits of TCP's flags (RFC 9293 section 3.1).
const (
	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpCWR = 0x80
)

func newCutter(b []byte, o Offload) (*cutter, bool) {
	c := &cutter{frame: b, network: minFrame, transport: int(o.ChecksumStart), size: int(o.GSOSize), ecn: o.GSOType&gsoECN != 0, checksum: int(o.ChecksumOffs)}
	if o.Flags&needsChecksum == 0 || c.size < minSegment || len(b) < minFrame {
		return nil, false
	}
	kind := binary.BigEndian.Uint16(b[12:])
	if kind == typeVLAN && len(b) >= minFrame+tagSize {
		kind = binary.BigEndian.Uint16(b[16:])
		c.network += tagSize
	}
	c.v6, c.udp = kind == typeIPv6, o.GSOType&^gsoECN == gsoUDP
	least := 20 // bytes of the IP header
	if c.v6 {
		least = 40
	}
	if c.transport < c.network+least || c.transport+20 > len(b) || kind != typeIPv4 && kind != typeIPv6 {
		return nil, false
	}
	switch o.GSOType &^ gsoECN {
	case gsoTCP4, gsoTCP6:
		c.headers = c.transport + int(b[c.transport+12]>>4)*4
		if c.v6 != (o.GSOType&^gsoECN == gsoTCP6) || c.headers < c.transport+20 || c.checksum != 16 {
			return nil, false
		}
	case gsoUDP:
		c.headers = c.transport + 8
		if c.checksum != 6 {
			return nil, false
		}
	default:
		return nil, false
	}
	if !c.v6 && c.network+int(b[c.network]&15)*4 != c.transport {
		return nil, false
	}
	return c, c.headers < len(b)
}

// segment makes the frame for the payload that begins at a place.
func (c *cutter) segment(at int) []byte {
	end := min(at+c.size, len(c.frame))
	b := append(append(make([]byte, 0, c.headers+end-at), c.frame[:c.headers]...), c.frame[at:end]...)
	length := len(b) - c.transport
	ip, l4 := b[c.network:c.transport], b[c.transport:]
	protocol := uint64(ipTCP)
	if c.udp {
		protocol = ipUDP
		binary.BigEndian.PutUint16(l4[4:], uint16(length))
	} else {
		binary.BigEndian.PutUint32(l4[4:], binary.BigEndian.Uint32(l4[4:])+uint32(at-c.headers))
		if end < len(c.frame) {
			l4[13] &^= tcpFIN | tcpPSH
		}
		if c.ecn && c.number > 0 {
			l4[13] &^= tcpCWR
		}
	}
	var sum uint64
	if c.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40+length))
		sum = add(0, ip[8:40])
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+length))
		binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(c.number))
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^fold(add(0, ip)))
		sum = add(0, ip[12:20])
	}
	c.number++
	binary.BigEndian.PutUint16(l4[c.checksum:], fold(sum+protocol+uint64(length)))
	fill(b, c.transport, c.checksum)
	return b
}
