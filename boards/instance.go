package boards

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"backplane/boards/tomlfile"
	"backplane/periph"
	ethernet "backplane/periph/net"
	"backplane/simbus/hostfile"
)

// instance lays what the appliance says of one of its boards over what the board's
// file says.
func (a *Appliance) instance(at string, m *Member) {
	b := m.Board
	c := checker{b: b, doc: a.doc, paths: &a.paths}
	if a.doc.Has(at + ".init_args") {
		b.Firmware.Args = m.Args
	}
	if b.Firmware.Root != "" && len(m.Rootfs) > 0 {
		a.doc.Add(at+".rootfs", "the root of board %s is on a disk: layers cannot be laid over it", m.Name)
	}
	for i, layer := range m.Rootfs {
		path, err := filepath.Abs(a.doc.Beside(layer)) // the board file may lie elsewhere
		if err != nil {
			a.doc.Add(fmt.Sprintf("%s.rootfs[%d]", at, i), "%v", err)
			continue
		}
		from := source{a.doc, fmt.Sprintf("%s.rootfs[%d]", at, i)}
		c.layer(from.at, layer, path)
		b.layers = append(b.layers, from)
		b.Firmware.Rootfs = append(b.Firmware.Rootfs, path)
	}
	given := make(map[string]bool)
	for i := range m.Ethernet {
		at, own := fmt.Sprintf("%s.ethernet[%d]", at, i), &m.Ethernet[i]
		port, config := b.ethernet(own.Name)
		switch {
		case port == nil:
			title, ports := b.ports(a.catalog, ethernet.Kind.Table)
			a.doc.Add(at+".name", "board %s has no %s %q%s", m.Name, title, own.Name, periph.Suggest(own.Name, named(ports, func(c **Controller) string { return (*c).Name })))
			continue
		case given[own.Name]:
			a.doc.Add(at+".name", "%s already has a table", own.Name)
			continue
		}
		given[own.Name] = true
		if own.MAC != "" {
			config.MAC = own.MAC
		}
		e := &port.Network
		for key, field := range map[string]struct{ to, from *Texts }{"address": {&e.Address, &own.Address}, "gateway": {&e.Gateway, &own.Gateway}} {
			if a.doc.Has(at + "." + key) {
				*field.to = *field.from
			}
		}
		if a.doc.Has(at + ".dns") {
			e.DNS = own.DNS
		}
		config.Check(c.report(at))
		c.addresses(at, e)
		c.routes(at, e)
	}
}

// portPlace is where a key of a port stands, "file:line": in the appliance file if that
// says it of the instance.
func (m *Member) portPlace(port, key string) string {
	if i := slices.IndexFunc(m.Ethernet, func(e Ethernet) bool { return e.Name == port }); i >= 0 {
		if at := fmt.Sprintf("%s.ethernet[%d].%s", m.at, i, key); m.doc.Has(at) {
			return placeIn(m.doc, at)
		}
	}
	c := m.Board.controller(port)
	return placeIn(c.doc, c.at+"."+key)
}

func placeIn(d *tomlfile.Doc, at string) string {
	p := d.Problem(at, "")
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// contentsOption is the option of parts that keep their contents in a file of the host's.
const contentsOption = "file"

// checkFiles finds parts that would write their contents over each other's; those of the first boards are known to
// be good.
func (a *Appliance) checkFiles(good int) {
	type owner struct{ name, place string }
	first := make(map[string]owner) // by path
	for i, m := range a.Members() {
		if m.Board == nil {
			continue
		}
		for _, p := range m.Board.Parts() {
			file := p.contents()
			if file == "" {
				continue
			}
			path, err := filepath.Abs(m.Board.Beside(file))
			if err != nil {
				continue // a working folder that has gone, which others say
			}
			if i < good {
				first[path] = owner{m.Name + "." + p.Name, placeIn(p.doc, p.at+"."+contentsOption)}
				continue
			}
			doc, at := m.Board.doc, p.at+"."+contentsOption
			if set := fmt.Sprintf("%s.set.%s.%s", m.at, p.Name, contentsOption); doc != m.doc && m.doc.Has(set) {
				doc, at = m.doc, set
			}
			err = a.paths.Add(doc, at, file, path)
			if err == nil {
				err = hostfile.Check(path)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				a.doc.Problems = append(a.doc.Problems, doc.Problem(at, "%s: %v", path, hostfile.Cause(err)))
				continue
			}
			other, taken := first[path]
			if !taken {
				first[path] = owner{m.Name + "." + p.Name, placeIn(doc, at)}
				continue
			}
			if place := placeIn(doc, at); place == other.place {
				a.doc.Add(m.at, "%s.%s and %s keep their contents in the same file, %s, in %s: give each instance its own, with set = { \"%s.file\" = \"%s-%s\" }",
					m.Name, p.Name, other.name, file, place, p.Name, m.Name, filepath.Base(file))
				continue
			}
			a.doc.Problems = append(a.doc.Problems, doc.Problem(at, "%s.%s and %s keep their contents in the same file, %s, which is also in %s: give each its own",
				m.Name, p.Name, other.name, file, other.place))
		}
	}
}
