package appliance

import (
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/boards/fdt"
	"backplane/periph"
)

// deviceTree describes a board to its kernel, which has so many CPUs. The kernel numbers gpiochips, hvc
// consoles and network interfaces in the order of the parts.
func deviceTree(b *boards.Board, name string, parts []*part, docks []*dock, cpus int, seed []byte) *fdt.Tree {
	t := new(fdt.Tree)
	root := &t.Root
	root.Cells("#address-cells", 1).Cells("#size-cells", 1)
	root.Strings("compatible", "backplane,"+b.Name).Strings("model", "Backplane board "+name)
	if len(seed) > 0 {
		root.Child("chosen").Bytes("rng-seed", seed)
	}
	cpuNodes(t, b.Topology, cpus)
	aliases := root.Child("aliases")
	d := describer{tree: t, board: b, nodes: make(map[string]*fdt.Node), sockets: make(map[string]*fdt.Node)}
	for _, p := range parts {
		if p.dev != nil {
			d.controller(root, aliases, p)
		}
	}
	for _, at := range docks {
		if at.spare {
			d.dock(root, at, 0)
		}
	}
	for _, p := range parts {
		switch {
		case p.desc == nil || p.desc.Model.Node == nil:
		case p.desc.Mount.Attach == nil:
			d.chip(root, p.desc)
		default:
			d.chip(d.sockets[p.desc.Bus()], p.desc)
		}
	}
	for _, f := range d.later {
		f()
	}
	return t
}

// controller adds a virtio device (Linux arch/um/drivers/virtio_uml.c,
// Documentation/devicetree/bindings/virtio/virtio-device.yaml), with the node that its
// driver sees as its own.
func (d *describer) controller(root, aliases *fdt.Node, p *part) {
	transport := d.dock(root, p.own, p.dev.ID())
	n := transport.Child(p.name)
	n.Strings("compatible", fmt.Sprintf("virtio,device%x", p.dev.ID()))
	if described, ok := p.is.(periph.Described); ok {
		desc := described.Node()
		d.properties(n, &desc, nil)
	}
	d.nodes[p.name], d.sockets[p.name] = n, n
	if p.table != nil && p.table.Alias() != "" {
		aliases.Strings(p.table.Alias(), "/"+transport.Name+"/"+n.Name)
	}
}

// dock adds the place of a virtio device. What is plugged into a spare one says itself what it is.
func (d *describer) dock(root *fdt.Node, at *dock, id uint32) *fdt.Node {
	n := root.Child("virtio-" + strings.ToLower(at.name))
	return n.Strings("compatible", "virtio,uml").Cells("virtio-device-id", id).Strings("socket-path", at.socketFile())
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
