package tests

import (
	"strings"
	"testing"
)

// TestContributedLink follows what CONTRIBUTING.md says of a link: a file and a line are
// enough for its table, its ends, the schema, actions and what passes between boards.
func TestContributedLink(t *testing.T) {
	c := contribute(t, "## A link", "periph/gpio/optocoupler.go", "periph/catalog/catalog.go", "\t\tgpio.Wire,\n", "\t\tgpio.Optocoupler,\n")
	c.write("b.toml", "name = \"b\"\n[[gpio]]\nname = \"g\"\nlines = [\"out\", \"in\"]\n")
	const table = "name = \"pair\"\n[[board]]\nname = \"a\"\nfile = \"b.toml\"\n[[board]]\nfile = \"b.toml\"\n" +
		"[[optocoupler]]\nname = \"o\"\nfrom = \"a.g.out\"\nto = \"b.g.in\"\n"
	c.write("pair.toml", table)
	c.write("line.toml", strings.Replace(table, "b.g.in", "b.g.inn", 1))
	c.write("key.toml", strings.Replace(table, "from =", "form =", 1))
	c.write("s.toml", `appliance = "pair.toml"
seed = 1
start = "2026-01-01T00:00:00Z"

[[step]]
name = "the far line has a pull-up"
set = { "b.g.in" = "up", "a.g.out" = 0 }
expect = { line = "b.g.in", level = 1, within = "1s" }

[[step]]
name = "light pulls it low"
set = { "a.g.out" = 1 }
expect = { line = "b.g.in", edge = "falling", within = "20us" }

[[step]]
name = "none does not"
cut = "o"
expect = { line = "b.g.in", level = 1, within = "1s" }
`)
	c.says(`line.toml:10:1: board b: g has no line "inn": did you mean "in"?`, "check", "line.toml")
	c.says("key.toml:7:3: the optocoupler has no from: write from = \"BOARD.PLACE\"", "check", "key.toml")
	c.says(`key.toml:9:1: unknown key "form": did you mean "from"?`, "check", "key.toml")
	c.says(`"The line that lights the diode: board.controller.line"`, "schema", "appliance")
	c.says("[[optocoupler]] of an appliance: optocoupler from GPIO line to GPIO line", "parts")
	c.says("PASSED", "run", "--out", "r", "s.toml")
	c.says("SAME", "replay", "r")
}
