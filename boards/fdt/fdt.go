// Package fdt writes flattened device trees (Devicetree Specification v0.4
// chapter 5, format version 17).
package fdt

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Node is a node of a device tree.
type Node struct {
	Name     string // with its unit address: "eeprom@50"
	props    []property
	children []*Node
	phandle  uint32
}

type property struct {
	name  string
	value []byte
}

// Child adds a node below n.
func (n *Node) Child(name string) *Node {
	c := &Node{Name: name}
	n.children = append(n.children, c)
	return c
}

// Strings adds a property of zero-terminated strings.
func (n *Node) Strings(name string, values ...string) *Node {
	var b []byte
	for _, v := range values {
		b = append(append(b, v...), 0)
	}
	return n.Bytes(name, b)
}

// Bytes adds a property as it stands. An empty one is a flag.
func (n *Node) Bytes(name string, value []byte) *Node {
	n.props = append(n.props, property{name, value})
	return n
}

// Cells adds a property of 32-bit cells.
func (n *Node) Cells(name string, cells ...uint32) *Node {
	var b []byte
	for _, c := range cells {
		b = binary.BigEndian.AppendUint32(b, c)
	}
	return n.Bytes(name, b)
}

// Phandle is the number by which other nodes refer to n in tree.
func (t *Tree) Phandle(n *Node) uint32 {
	if n.phandle == 0 {
		t.phandles++
		n.phandle = t.phandles
		n.Cells("phandle", n.phandle)
	}
	return n.phandle
}

// Tree is a whole device tree.
type Tree struct {
	Root     Node
	phandles uint32
}

// The tokens of the structure block, and the header (section 5.2 and 5.4).
const (
	tokenBeginNode = 1
	tokenEndNode   = 2
	tokenProp      = 3
	tokenEnd       = 9

	magic          = 0xd00dfeed
	headerSize     = 40
	reserveMapSize = 16 // only the terminating entry
	version        = 17
	lastCompatible = 16
)

// Blob is the tree as a kernel takes it.
func (t *Tree) Blob() []byte {
	var w writer
	w.node(&t.Root)
	w.cell(tokenEnd)
	structOff := headerSize + reserveMapSize
	stringsOff := structOff + w.structs.Len()
	total := stringsOff + w.strings.Len()

	out := make([]byte, 0, total)
	for _, v := range []int{magic, total, structOff, stringsOff, headerSize, version, lastCompatible, 0, w.strings.Len(), w.structs.Len()} {
		out = binary.BigEndian.AppendUint32(out, uint32(v))
	}
	out = append(out, make([]byte, reserveMapSize)...)
	out = append(out, w.structs.Bytes()...)
	return append(out, w.strings.Bytes()...)
}

type writer struct {
	structs, strings bytes.Buffer
	offsets          map[string]uint32
}

func (w *writer) cell(v uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	w.structs.Write(b[:])
}

func (w *writer) pad() {
	for w.structs.Len()%4 != 0 {
		w.structs.WriteByte(0)
	}
}

func (w *writer) node(n *Node) {
	w.cell(tokenBeginNode)
	w.structs.WriteString(n.Name)
	w.structs.WriteByte(0)
	w.pad()
	for _, p := range n.props {
		w.cell(tokenProp)
		w.cell(uint32(len(p.value)))
		w.cell(w.name(p.name))
		w.structs.Write(p.value)
		w.pad()
	}
	for _, c := range n.children {
		w.node(c)
	}
	w.cell(tokenEndNode)
}

func (w *writer) name(s string) uint32 {
	if off, ok := w.offsets[s]; ok {
		return off
	}
	if w.offsets == nil {
		w.offsets = make(map[string]uint32)
	}
	off := uint32(w.strings.Len())
	w.offsets[s] = off
	w.strings.WriteString(s)
	w.strings.WriteByte(0)
	return off
}

// Unit is a node's name with its unit address in hex.
func Unit(name string, address uint64) string { return fmt.Sprintf("%s@%x", name, address) }
