package gateway

import (
	"bytes"
	"sync"
	"sync/atomic"

	"backplane/simbus/ether"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Bits of ether.Offload, which are those of virtio_net_hdr.
const (
	needsChecksum = 1
	gsoTCP4       = 1
	gsoTCP6       = 4
)

// mtu is the longest IP packet that the gateway sends, unless it leaves the
// cutting to the receiver: then that is maxGSO.
const (
	mtu    = 1500
	maxGSO = 60 << 10
)

// link is the stack's network interface: a [stack.LinkEndpoint] that speaks Ethernet.
type link struct {
	mac     tcpip.LinkAddress
	offload bool
	out     *Queue
	own     []tcpip.Address // the gateway's, on the segment: set before the first packet

	open atomic.Bool // the checksum of the frame that is being received

	mu         sync.RWMutex
	dispatcher stack.NetworkDispatcher
}

var (
	_ stack.LinkEndpoint = (*link)(nil)
	_ stack.GSOEndpoint  = (*link)(nil)
)

// WritePackets puts packets into the queue. Those that find it full are lost, as
// on a wire.
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range pkts.AsSlice() {
		if !l.asRouter(p) {
			continue
		}
		// The bytes stay the packet's until the frame has been sent.
		c := p.Clone()
		l.out.put(Item{Frame: &ether.Frame{Parts: c.AsSlices(), Offload: offload(c)}, release: c.DecRef})
	}
	return pkts.Len(), nil
}

// offload is the work that the stack leaves to the packet's receiver.
func offload(p *stack.PacketBuffer) (o ether.Offload) {
	g := &p.GSOOptions
	if g.Type == stack.GSONone || !g.NeedsCsum {
		return o
	}
	o.Flags = needsChecksum
	o.ChecksumStart = header.EthernetMinimumSize + g.L3HdrLen
	o.ChecksumOffs = g.CsumOffset
	if p.Data().Size() > int(g.MSS) {
		o.GSOType, o.GSOSize, o.HeaderLen = gsoTCP4, g.MSS, uint16(p.HeaderSize())
		if g.Type == stack.GSOTCPv6 {
			o.GSOType = gsoTCP6
		}
	}
	return o
}

// Deliver takes a frame from the segment, from any goroutine. It never says that
// it could not: whether the host was fast enough must not be seen in what happens
// on the segment. What finds the inbox full is counted, and an event tells.
func (g *Gateway) Deliver(f *ether.Frame) error {
	if f.Len() < header.EthernetMinimumSize {
		return nil
	}
	if g.cfg.Offload {
		g.in.put(nil, f)
	} else {
		f.Wire(func(w *ether.Frame) { g.in.put(nil, w) }) // what makes no sense is lost
	}
	return nil
}

// receive gives the stack a frame from the segment. Where a board has left the
// checksum open, the stack must not look at it.
func (l *link) receive(g *Gateway, v *buffer.View, open bool) {
	frame := v.AsSlice()
	l.open.Store(open)
	eth := header.Ethernet(frame)
	dst := eth.DestinationAddress()
	l.mu.RLock()
	d := l.dispatcher
	l.mu.RUnlock()
	if d == nil || !header.IsMulticastEthernetAddress(dst) && dst != l.mac || eth.SourceAddress() == l.mac {
		v.Release() // flooded here by the switch, and for somebody else
		return
	}
	if g.othersARP(frame) || g.cfg.DHCP && g.serveDHCP(frame) {
		v.Release()
		return
	}
	if g.cfg.Advertise {
		g.answerSolicitation(frame) // of which the stack learns where the board is
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	defer pkt.DecRef()
	if !l.ParseHeader(pkt) {
		return
	}
	pkt.PktType = tcpip.PacketHost
	switch {
	case dst == header.EthernetBroadcastAddress:
		pkt.PktType = tcpip.PacketBroadcast
	case dst != l.mac:
		pkt.PktType = tcpip.PacketMulticast
	}
	d.DeliverNetworkPacket(eth.Type(), pkt)
}

// othersARP tells whether a frame asks for the hardware address of another than
// the gateway: the stack, which takes packets for all, would answer for all.
func (g *Gateway) othersARP(frame []byte) bool {
	if header.Ethernet(frame).Type() != header.ARPProtocolNumber {
		return false
	}
	a := header.ARP(frame[header.EthernetMinimumSize:])
	if !a.IsValid() {
		return true
	}
	return a.Op() == header.ARPRequest && !bytes.Equal(a.ProtocolAddressTarget(), g.cfg.Address.Addr().AsSlice())
}

// Attach is called by the stack.
func (l *link) Attach(d stack.NetworkDispatcher) {
	l.mu.Lock()
	l.dispatcher = d
	l.mu.Unlock()
}

// IsAttached tells whether the stack has called Attach.
func (l *link) IsAttached() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dispatcher != nil
}

// Capabilities are those of an Ethernet. The stack asks for them with each frame,
// to know whether it has to look at its checksum.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	c := stack.CapabilityResolutionRequired
	if l.open.Load() {
		c |= stack.CapabilityRXChecksumOffload
	}
	return c
}

// SupportedGSO tells whether TCP may leave the cutting to the receiver.
func (l *link) SupportedGSO() stack.SupportedGSO {
	if l.offload {
		return stack.HostGSOSupported
	}
	return stack.GSONotSupported
}

// AddHeader puts the Ethernet header before a packet.
func (l *link) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: l.mac, DstAddr: pkt.EgressRoute.RemoteLinkAddress, Type: pkt.NetworkProtocolNumber})
}

// ParseHeader takes the Ethernet header off a packet.
func (*link) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	return ok
}

// The rest of stack.LinkEndpoint and stack.GSOEndpoint.

func (*link) GSOMaxSize() uint32                      { return maxGSO }
func (*link) MTU() uint32                             { return mtu }
func (*link) SetMTU(uint32)                           {}
func (*link) MaxHeaderLength() uint16                 { return header.EthernetMinimumSize }
func (l *link) LinkAddress() tcpip.LinkAddress        { return l.mac }
func (*link) SetLinkAddress(tcpip.LinkAddress)        {}
func (*link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (*link) Wait()                                   {}
func (*link) Close()                                  {}
func (*link) SetOnCloseAction(func())                 {}
