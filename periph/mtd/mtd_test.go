package mtd_test

import (
	"fmt"
	"strings"
	"testing"

	"backplane/periph"
	"backplane/periph/mtd"
)

// nor is a flash of 16 MiB.
var nor = mtd.Flash{Size: 16 << 20, Block: 4 << 10}

// TestNodes: each partition begins where the last one has ended, or where it says.
func TestNodes(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"64K(env),1m(boot)ro,-(data)":   "partition@0 env 0+65536, partition@10000 boot 65536+1048576 ro, partition@110000 data 1114112+15663104",
		"1M@8M(late), 4096(next)":       "partition@800000 late 8388608+1048576, partition@900000 next 9437184+4096",
		"8M(old),8M(new),-@4096(all)ro": "partition@0 old 0+8388608, partition@800000 new 8388608+8388608, partition@1000 all 4096+16773120 ro",
	} {
		if spec := nor.Option(); spec.Check(periph.Str(text)) != nil {
			t.Errorf("%q: %v", text, spec.Check(periph.Str(text)))
		}
		var got []string
		for _, all := range nor.Nodes(&periph.Options{Values: map[string]periph.Value{mtd.OptionName: periph.Str(text)}}) {
			if all.Name != "partitions" || all.Compatible[0] != "fixed-partitions" {
				t.Errorf("%q: the node is %+v", text, all)
			}
			for _, n := range all.Children {
				line := n.Name + "@" + n.Unit
				for _, p := range n.Properties {
					switch v := p.Value.(type) {
					case string:
						line += " " + v
					case []uint32:
						line += fmt.Sprintf(" %d+%d", v[0], v[1])
					default:
						line += map[string]string{"read-only": " ro"}[p.Name]
					}
				}
				got = append(got, line)
			}
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%q:\n%s, want\n%s", text, got, want)
		}
	}
}

// TestWrong: what does not fit is said, with what would.
func TestWrong(t *testing.T) {
	spec := nor.Option()
	for text, want := range map[string]string{
		"1M":                                  `partitions: "1M" is no partition: write SIZE(NAME)`,
		"1M(a),":                              `"" is no partition`,
		"1T(a)":                               `"1T(a)" is no partition`,
		"1M(a b)":                             `"1M(a b)" is no partition`,
		"1M(a)rw":                             `"1M(a)rw" is no partition`,
		"1M(a),1M(a)":                         `two are called "a"`,
		"1M(a),16M(b)":                        `"b" ends behind the flash's 16M: from 1M on there are 15M left`,
		"99999999999999999999G(a)":            `"a" ends behind the flash's 16M: from 0 bytes on there are 16M left`,
		"9999999999G(a)":                      `"a" ends behind`,
		"1M@99999999999999G(a)":               `nothing is left for "a" of the flash's 16M`,
		"-(a),1M(b)":                          `nothing is left for "b"`,
		"1000(a)":                             `"a" begins at 0 bytes and has 1000 bytes; both must be multiples of 4K`,
		"4K@1K(a)":                            `"a" begins at 1K and has 4K; both`,
		"0(a)":                                `"a" has no size`,
		"1M(a),2M@0(b)":                       `"a" and "b" both begin at 0 bytes`,
		strings.Repeat("4K(a),", 64) + "-(b)": "65 of them; there can be 64",
	} {
		if err := spec.Check(periph.Str(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
