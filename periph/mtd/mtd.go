// Package mtd describes how a flash is divided, for Linux' memory technology devices.
package mtd

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"backplane/periph"
)

// OptionName is the name of the option of flashes that says their partitions.
const OptionName = "partitions"

// maxPartitions is how many a flash can have here; Linux has no limit.
const maxPartitions = 64

// Flash is what partitions have to fit, in bytes.
type Flash struct {
	Size  int64
	Block int64 // what is erased at once: Linux cannot write to a partition that has part of one
}

// partition is a part of a flash.
type partition struct {
	from, size int64
	name       string
	readOnly   bool
}

// Option is a flash's partitions, in the words of Linux' mtdparts= (drivers/mtd/parsers/cmdlinepart.c).
func (f Flash) Option() periph.Spec {
	return periph.Spec{Name: OptionName, Kind: periph.Text,
		Doc: "how it is divided, in the words of Linux' mtdparts=, such as 1M(boot)ro,64K@4M(env),-(data); one piece if left out",
		Valid: func(v periph.Value) error {
			_, err := f.partitions(v.Text())
			return err
		}}
}

// Nodes are what a flash's node has below it of such an option: Documentation/devicetree/bindings/mtd/partitions/fixed-partitions.yaml.
func (f Flash) Nodes(o *periph.Options) []periph.Node {
	list, err := f.partitions(o.Get(OptionName).Text())
	if err != nil || len(list) == 0 {
		return nil // an error was found by Valid
	}
	all := periph.Node{Name: "partitions", Compatible: []string{"fixed-partitions"},
		Properties: []periph.NodeProperty{{Name: "#address-cells", Value: uint32(1)}, {Name: "#size-cells", Value: uint32(1)}}}
	for _, p := range list {
		n := periph.Node{Name: "partition", Unit: strconv.FormatInt(p.from, 16), Properties: []periph.NodeProperty{
			{Name: "label", Value: p.name}, {Name: "reg", Value: []uint32{uint32(p.from), uint32(p.size)}}}}
		if p.readOnly {
			n.Properties = append(n.Properties, periph.NodeProperty{Name: "read-only", Value: true})
		}
		all.Children = append(all.Children, n)
	}
	return []periph.Node{all}
}

// word is one partition's: its size, its place, its name, and whether it is only read.
var word = regexp.MustCompile(`^(-|[0-9]+[kKmMgG]?)(?:@([0-9]+[kKmMgG]?))?\(([A-Za-z0-9._+-]{1,64})\)(ro)?$`)

func (f Flash) partitions(text string) (list []partition, err error) {
	if text == "" {
		return nil, nil
	}
	words := strings.Split(text, ",")
	if len(words) > maxPartitions {
		return nil, fmt.Errorf("%s: %d of them; there can be %d", OptionName, len(words), maxPartitions)
	}
	begins, named := make(map[int64]string), make(map[string]bool)
	var next int64
	for _, w := range words {
		m := word.FindStringSubmatch(strings.TrimSpace(w))
		if m == nil {
			return nil, fmt.Errorf("%s: %q is no partition: write SIZE(NAME) or SIZE@OFFSET(NAME), and ro behind it for one that is only read, such as 1M(boot)ro,-(data)", OptionName, w)
		}
		p := partition{from: next, name: m[3], readOnly: m[4] != ""}
		if m[2] != "" {
			p.from = bytes(m[2])
		}
		if p.size = f.Size - p.from; m[1] != "-" {
			p.size = bytes(m[1])
		}
		switch {
		case named[p.name]:
			return nil, fmt.Errorf("%s: two are called %q", OptionName, p.name)
		case p.from >= f.Size:
			return nil, fmt.Errorf("%s: nothing is left for %q of the flash's %s", OptionName, p.name, size(f.Size))
		case p.size == 0:
			return nil, fmt.Errorf("%s: %q has no size", OptionName, p.name)
		case p.size > f.Size-p.from:
			return nil, fmt.Errorf("%s: %q ends behind the flash's %s: from %s on there are %s left", OptionName, p.name, size(f.Size), size(p.from), size(f.Size-p.from))
		case p.from%f.Block != 0 || p.size%f.Block != 0:
			return nil, fmt.Errorf("%s: %q begins at %s and has %s; both must be multiples of %s, a block of the flash", OptionName, p.name, size(p.from), size(p.size), size(f.Block))
		case begins[p.from] != "":
			return nil, fmt.Errorf("%s: %q and %q both begin at %s", OptionName, begins[p.from], p.name, size(p.from))
		}
		named[p.name], begins[p.from] = true, p.name
		list, next = append(list, p), p.from+p.size
	}
	return list, nil
}

// bytes is a size of [word]; one that no flash has is very large.
func bytes(text string) int64 {
	var n periph.Size
	if n.UnmarshalText([]byte(strings.ToUpper(text))) != nil {
		return math.MaxInt64
	}
	return int64(n)
}

// size is a number of bytes in words.
func size(n int64) string {
	if n == 0 || n%(1<<10) != 0 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	return periph.Size(n).String()
}
