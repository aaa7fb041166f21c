package net

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
)

// Classes and commands of the control queue (section 5.1.6.5).
const (
	classReceive       = 0
	receivePromiscuous = 0
	receiveAllMulti    = 1
	classMAC           = 1
	macTableSet        = 0
	macAddrSet         = 1

	controlHeader = 2 // class, command
	controlOK     = 0
	controlError  = 1
)

// maxFilter is how many addresses a filter holds, of each kind. A driver with
// more is given all frames, as the specification allows.
const maxFilter = 64

// maxCommand is the longest command: a table of addresses, twice.
const maxCommand = 64 << 10

type address [6]byte

// isMulticast holds for broadcasts too.
func (a *address) isMulticast() bool { return a[0]&1 != 0 }

var broadcast = address{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// filter is what a guest wants to receive.
type filter struct {
	all, allMulti  bool
	unicast, multi map[address]bool // nil for none
}

// takes tells whether a frame to dst is for a NIC with that filter and address.
func (f *filter) takes(dst, own *address) bool {
	switch {
	case f.all || *dst == *own || *dst == broadcast:
		return true
	case dst.isMulticast():
		return f.allMulti || f.multi[*dst]
	}
	return f.unicast[*dst]
}

// control carries out the commands in the control queue.
func (n *NIC) control() error {
	if n.commands == nil {
		return nil
	}
	if err := n.commands.Serve(n.answer); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return nil
}

// answer carries out the command in a buffer.
func (n *NIC) answer(chain *virtio.Chain) (more bool, err error) {
	size := chain.ReadLen()
	if size < controlHeader || size > maxCommand || chain.WriteLen() < 1 {
		return false, fmt.Errorf("command of %d bytes with room for %d: must be %d to %d, with room for an answer",
			size, chain.WriteLen(), controlHeader, maxCommand)
	}
	command := make([]byte, size)
	chain.CopyOut(command, 0)
	answer := byte(controlError)
	if n.command(command[0], command[1], command[controlHeader:]) {
		answer = controlOK
	}
	n.commands.Done(chain, chain.CopyIn(0, []byte{answer}))
	return true, nil
}

// command carries out one, and tells whether it was one.
func (n *NIC) command(class, command byte, data []byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case class == classReceive && command == receivePromiscuous && len(data) == 1:
		n.filter.all = data[0] != 0
	case class == classReceive && command == receiveAllMulti && len(data) == 1:
		n.filter.allMulti = data[0] != 0
	case class == classMAC && command == macAddrSet && len(data) == len(n.mac):
		copy(n.mac[:], data)
	case class == classMAC && command == macTableSet:
		unicast, rest, ok := addresses(data)
		if !ok {
			return false
		}
		multi, rest, ok := addresses(rest)
		if !ok || len(rest) > 0 {
			return false
		}
		n.filter.unicast, n.filter.multi = unicast, multi
		n.filter.all = n.filter.all || len(unicast) > maxFilter
		n.filter.allMulti = n.filter.allMulti || len(multi) > maxFilter
	default:
		return false
	}
	return true
}

// addresses takes a table (struct virtio_net_ctrl_mac) off data.
func addresses(data []byte) (table map[address]bool, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	count, rest := binary.LittleEndian.Uint32(data), data[4:]
	if uint64(count)*6 > uint64(len(rest)) {
		return nil, nil, false
	}
	table = make(map[address]bool)
	for ; count > 0; count-- {
		table[address(rest[:6])] = true
		rest = rest[6:]
	}
	return table, rest, true
}

// wants tells whether a frame is for the guest. It does not allocate.
func (n *NIC) wants(parts [][]byte) bool {
	if n.filter.all {
		return true
	}
	var dst address
	for got, i := 0, 0; got < len(dst) && i < len(parts); i++ {
		got += copy(dst[got:], parts[i])
	}
	return n.filter.takes(&dst, &n.mac)
}
