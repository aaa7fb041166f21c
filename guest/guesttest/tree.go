package guesttest

import (
	"encoding/binary"
	"errors"
	"strings"
)

// node is one of a device tree.
type node struct {
	name       string
	properties map[string][]byte
	children   []*node
}

// Tokens of a flattened device tree (Devicetree Specification 0.4, section 5.4.1).
const (
	treeMagic     = 0xd00dfeed
	treeBeginNode = 1
	treeEndNode   = 2
	treeProperty  = 3
	treeNothing   = 4
	treeEnd       = 9
)

var errTree = errors.New("the device tree is broken")

// parseTree reads a flattened device tree as a kernel does.
func parseTree(blob []byte) (root *node, err error) {
	defer func() {
		if recover() != nil { // an offset or a length leads out of it
			root, err = nil, errTree
		}
	}()
	be := binary.BigEndian
	if be.Uint32(blob) != treeMagic {
		return nil, errTree
	}
	words, text := blob[be.Uint32(blob[8:]):], blob[be.Uint32(blob[12:]):]
	word := func() uint32 {
		w := be.Uint32(words)
		words = words[4:]
		return w
	}
	take := func(n int) []byte {
		b := words[:n]
		words = words[(n+3)&^3:]
		return b
	}
	at := []*node{{}}
	for {
		top := at[len(at)-1]
		switch word() {
		case treeBeginNode:
			name, _, _ := strings.Cut(string(words), "\x00")
			take(len(name) + 1)
			n := &node{name: name, properties: make(map[string][]byte)}
			top.children = append(top.children, n)
			at = append(at, n)
		case treeEndNode:
			at = at[:len(at)-1]
		case treeProperty:
			size, offset := word(), word()
			name, _, _ := strings.Cut(string(text[offset:]), "\x00")
			top.properties[name] = take(int(size))
		case treeNothing:
		case treeEnd:
			return at[0].children[0], nil
		default:
			return nil, errTree
		}
	}
}

// text is a property of one string.
func (n *node) text(name string) string {
	return strings.TrimRight(string(n.properties[name]), "\x00")
}

// place is a device that the tree tells of.
type place struct {
	name   string // of the controller
	id     uint32 // of virtio
	socket string
}

// places are the devices of a board (Linux arch/um/drivers/virtio_uml.c, virtio_uml_probe).
func places(blob []byte) (list []place, err error) {
	root, err := parseTree(blob)
	if err != nil {
		return nil, err
	}
	for _, n := range root.children {
		if n.text("compatible") != "virtio,uml" {
			continue
		}
		id := n.properties["virtio-device-id"]
		if len(id) == 4 && len(n.children) == 0 {
			continue // a place for what is plugged later, which this kernel never looks into
		}
		if len(id) != 4 || n.text("socket-path") == "" {
			return nil, errTree
		}
		list = append(list, place{n.children[0].name, binary.BigEndian.Uint32(id), n.text("socket-path")})
	}
	return list, nil
}
