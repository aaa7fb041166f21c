package tests

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"backplane/periph"
	"backplane/periph/catalog"
	"backplane/tests/guesttest"
)

// everything is a board with all that the catalog has: each kind of controller, as many
// of them as chips' places need, and each model on each bus that it can hang on.
type everything struct {
	tables map[string][]*strings.Builder // by kind; a table for each controller
	taken  map[string]bool               // "i2c0 address 0x48"
	lines  []string                      // of gpio0: one for each pin
	nodes  map[string]string             // path in the device tree: what is described there
	plain  []string                      // models without a node
}

func newEverything(t *testing.T) *everything {
	b := &everything{tables: make(map[string][]*strings.Builder), taken: make(map[string]bool), nodes: make(map[string]string)}
	for _, k := range catalog.All.Controllers {
		if k.Always == "" {
			b.controller(k.Table)
		}
	}
	for i, m := range catalog.All.Models {
		for _, mount := range m.On {
			b.chip(t, fmt.Sprintf("part%d_%s", i, mount.Bus), m, mount)
		}
	}
	return b
}

// required are the keys that tables of a kind cannot do without.
var required = map[string]string{"share": "path = \".\"\nat = \"/mnt\"\n"}

func (b *everything) controller(kind string) (at int) {
	at = len(b.tables[kind])
	s := new(strings.Builder)
	fmt.Fprintf(s, "[[%s]]\nname = \"%s%d\"\n%s", kind, kind, at, required[kind])
	b.tables[kind] = append(b.tables[kind], s)
	b.nodes[fmt.Sprintf("virtio-%[1]s%[2]d/%[1]s%[2]d", kind, at)] = "the controller"
	return at
}

// chip puts a chip on the first controller that has a place for it.
func (b *everything) chip(t *testing.T, name string, m *periph.Model, mount *periph.Mount) {
	o := &periph.Options{Name: name, Values: make(map[string]periph.Value)}
	at := 0
	for !b.place(fmt.Sprint(mount.Bus, at), mount, o) {
		if at++; at == len(b.tables[mount.Bus]) {
			b.controller(mount.Bus)
		}
		if at > len(catalog.All.Models) {
			t.Fatalf("%s finds no place on any %s", m.Name, mount.Bus)
		}
	}
	s := b.tables[mount.Bus][at]
	fmt.Fprintf(s, "[[%s.chip]]\nname = %q\nmodel = %q\n", mount.Bus, name, m.Name)
	for _, key := range slices.Sorted(maps.Keys(o.Values)) {
		fmt.Fprintf(s, "%s = %v\n", key, o.Values[key].Int())
	}
	if len(m.Pins) > 0 {
		s.WriteString("pins = {")
		for i, p := range m.Pins {
			fmt.Fprintf(s, "%s %s = \"gpio0.%d\"", map[bool]string{true: ","}[i > 0], p.Name, len(b.lines))
			b.lines = append(b.lines, strconv.Quote(name+"_"+p.Name))
		}
		s.WriteString(" }\n")
	}
	if m.Node == nil {
		b.plain = append(b.plain, m.Name)
		return
	}
	n := m.Node(o)
	mount.Node(&n, o)
	b.nodes[fmt.Sprintf("virtio-%[1]s%[2]d/%[1]s%[2]d/%[3]s@%[4]s", mount.Bus, at, n.Name, n.Unit)] = m.Name
}

// place finds a value for each key that a place on a bus needs, such as an address.
func (b *everything) place(bus string, mount *periph.Mount, o *periph.Options) bool {
	for _, key := range mount.Keys {
		if !key.Required {
			o.Values[key.Name] = key.Default
			continue
		}
		values := key.Only
		for v := key.Min; v <= key.Max && len(key.Only) == 0; v++ {
			values = append(values, v)
		}
		i := slices.IndexFunc(values, func(v float64) bool { return !key.Unique || !b.taken[fmt.Sprintln(bus, key.Name, v)] })
		if i < 0 {
			return false
		}
		b.taken[fmt.Sprintln(bus, key.Name, values[i])] = true
		o.Values[key.Name] = periph.Num(values[i])
	}
	return true
}

// file is the board file.
func (b *everything) file(root string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "name = \"all\"\nmemory = \"96M\"\n[firmware]\nrootfs = [%q]\n", root)
	for _, kind := range slices.Sorted(maps.Keys(b.tables)) {
		for _, table := range b.tables[kind] {
			head, chips, _ := strings.Cut(table.String(), "[[gpio.chip]]")
			s.WriteString(head)
			if kind == "gpio" {
				fmt.Fprintf(&s, "lines = [%s]\n", strings.Join(b.lines, ", "))
			}
			if chips != "" {
				s.WriteString("[[gpio.chip]]" + chips)
			}
		}
	}
	return s.String()
}

// drivers prints each device that has a device-tree node or is on the virtio bus, with
// its driver or a -. A bus that a driver provides, such as a switch's channel, has a node
// and needs no driver.
const drivers = `
for d in $(find /sys/devices -name of_node | sed 's,/of_node$,,') /sys/bus/virtio/devices/*; do
	case $d in */i2c-[0-9]*) [ -e $d/new_device ] && continue;; esac
	driver=-
	[ -e $d/driver ] && driver=$(basename $(readlink $d/driver))
	echo $(readlink -f $d/of_node | sed s,^.*/devicetree/base/,,) $driver
done`

// TestEveryDriverBinds boots a board with all that the catalog has: the kernel's own
// drivers take each controller, and each chip that is described to the kernel.
func TestEveryDriverBinds(t *testing.T) {
	all := newEverything(t)
	t.Logf("no driver, since only programs see them: %s", strings.Join(all.plain, ", "))
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := guesttest.Run(t, map[string]string{"main.toml": all.file(guesttest.Rootfs(t))}, o)
		bound := make(map[string]string)
		for _, line := range strings.Split(strings.TrimSpace(app.Sh("all", drivers)), "\n") {
			node, driver, ok := strings.Cut(line, " ")
			if !ok {
				t.Fatalf("the guest prints %q", line)
			}
			if bound[node] == "" || bound[node] == "-" { // a device of a class has its parent's node, and no driver
				bound[node] = driver
			}
		}
		for _, node := range slices.Sorted(maps.Keys(all.nodes)) {
			t.Logf("%s, %s: driver %q", all.nodes[node], node, bound[node])
		}
		for node, what := range all.nodes {
			if bound[node] == "" {
				t.Errorf("there is no device for %s at %s\n%s", what, node, app.Sh("all", "dmesg | tail -20"))
			}
		}
		for node, driver := range bound { // those of the main console and of randomness too
			if driver == "-" {
				t.Errorf("no driver took the device at %q", node)
			}
		}
	})
}
