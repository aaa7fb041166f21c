package appliance

import (
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/boards/fdt"
	"backplane/periph"
	"backplane/periph/virtio"
)

// slot is one virtio device of a board: a node of its device tree, and a socket.
type slot struct {
	name   string // of the controller
	socket string // in the run folder
	dev    virtio.Device
	table  *boards.Controller // of a catalog's kind, else nil
}

// deviceTree describes a board to its kernel. The kernel numbers gpiochips, hvc
// consoles and network interfaces in the order of the slots.
func deviceTree(b *boards.Board, name string, slots []slot, seed []byte) *fdt.Tree {
	t := new(fdt.Tree)
	root := &t.Root
	root.Cells("#address-cells", 1).Cells("#size-cells", 1)
	root.Strings("compatible", "backplane,"+b.Name).Strings("model", "Backplane board "+name)
	if len(seed) > 0 {
		root.Child("chosen").Bytes("rng-seed", seed)
	}
	aliases := root.Child("aliases")
	nodes := make(map[string]*fdt.Node)
	for _, s := range slots {
		nodes[s.name] = controllerNode(root, s)
	}
	for i := range b.GPIO {
		n := nodes[b.GPIO[i].Name]
		n.Bytes("gpio-controller", nil).Cells("#gpio-cells", 2)
		n.Bytes("interrupt-controller", nil).Cells("#interrupt-cells", 2)
	}
	d := describer{tree: t, board: b, nodes: nodes, sockets: make(map[string]*fdt.Node)}
	for i := range b.GPIO {
		d.sockets[b.GPIO[i].Name] = root
	}
	for _, s := range slots {
		c, ok := s.dev.(periph.Controller)
		if !ok || s.table == nil {
			continue
		}
		n, desc := nodes[s.name], c.Node()
		d.properties(n, &desc, nil)
		d.sockets[s.name] = n
		if alias := s.table.Alias(); alias != "" {
			aliases.Strings(alias, "/"+slotNode(s.name)+"/"+n.Name)
		}
	}
	for _, p := range b.Parts() {
		if p.Model.Node != nil {
			d.chip(d.sockets[p.Bus()], p)
		}
	}
	for _, f := range d.later {
		f()
	}
	return t
}

// slotNode is the name of the node of a slot's transport.
func slotNode(name string) string { return "virtio-" + strings.ToLower(name) }

// controllerNode adds a virtio device (Linux arch/um/drivers/virtio_uml.c,
// Documentation/devicetree/bindings/virtio/virtio-device.yaml) and returns the
// node that its driver sees as its own.
func controllerNode(root *fdt.Node, s slot) *fdt.Node {
	transport := root.Child(slotNode(s.name))
	transport.Strings("compatible", "virtio,uml").Cells("virtio-device-id", s.dev.ID()).Strings("socket-path", s.socket)
	n := transport.Child(s.name)
	n.Strings("compatible", fmt.Sprintf("virtio,device%x", s.dev.ID()))
	return n
}

type describer struct {
	tree  *fdt.Tree
	board *boards.Board
	nodes map[string]*fdt.Node // of controllers and chips
	later []func()             // what can be said when all nodes are there
	// sockets are the nodes below which those of chips stand, by what the chips are on.
	sockets map[string]*fdt.Node
}

// chip adds a chip's node, with its address and interrupt.
func (d *describer) chip(parent *fdt.Node, p *boards.Part) {
	desc := p.Model.Node(&p.Options)
	p.Mount.Node(&desc, &p.Options)
	n := d.node(parent, &desc, p)
	d.nodes[p.Name] = n
	if ref, ok := p.Soldered[desc.Interrupt]; ok && desc.Interrupt != "" {
		d.line(ref, func(provider, offset uint32) {
			n.Cells("interrupt-parent", provider).Cells("interrupts", offset, desc.InterruptType)
		})
		if desc.WakeupSource {
			n.Bytes("wakeup-source", nil)
		}
	}
}

func (d *describer) node(parent *fdt.Node, desc *periph.Node, p *boards.Part) *fdt.Node {
	name := desc.Name
	if desc.Unit != "" {
		name += "@" + desc.Unit
	}
	n := parent.Child(name)
	d.properties(n, desc, p)
	return n
}

// line lets f describe a GPIO line by the phandle of its controller or part, and its number there.
func (d *describer) line(ref boards.Line, f func(provider, offset uint32)) {
	offset, ok := d.board.Offset(ref)
	if !ok {
		return // the check has refused it
	}
	d.later = append(d.later, func() { f(d.tree.Phandle(d.nodes[ref.Provider]), uint32(offset)) })
}

// properties fills a node in, with the nodes below it; p is the chip that is described,
// nil for a controller.
func (d *describer) properties(n *fdt.Node, desc *periph.Node, p *boards.Part) {
	if len(desc.Compatible) > 0 {
		n.Strings("compatible", desc.Compatible...)
	}
	for _, prop := range desc.Properties {
		d.property(n, prop, p)
	}
	for i := range desc.Children {
		child := d.node(n, &desc.Children[i], p)
		if socket := desc.Children[i].Socket; socket != "" {
			d.sockets[p.Name+"."+socket] = child
		}
	}
}

func (d *describer) property(n *fdt.Node, prop periph.NodeProperty, p *boards.Part) {
	switch v := prop.Value.(type) {
	case string:
		n.Strings(prop.Name, v)
	case []string:
		n.Strings(prop.Name, v...)
	case uint32:
		n.Cells(prop.Name, v)
	case []uint32:
		n.Cells(prop.Name, v...)
	case []byte:
		n.Bytes(prop.Name, v)
	case bool:
		if v {
			n.Bytes(prop.Name, nil)
		}
	case periph.PinRef:
		if ref, ok := p.Soldered[v.Pin]; ok {
			d.line(ref, func(provider, offset uint32) { n.Cells(prop.Name, provider, offset, v.Flags) })
		}
	default:
		panic(fmt.Sprintf("node %s: device-tree property %s of type %T", n.Name, prop.Name, v))
	}
}
