package tests

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRunOfNoScenario: what is no scenario is called what it is, and what is wrong with
// an appliance is said of the appliance.
func TestRunOfNoScenario(t *testing.T) {
	port := "name = \"b\"\n[[ethernet]]\nname = \"eth0\"\nmac = \"02:00:00:00:00:01\"\n"
	twins := "name = \"twins\"\n[[board]]\nname = \"a\"\nfile = \"b.toml\"\n[[board]]\nname = \"b\"\nfile = \"b.toml\"\n[[segment]]\nname = \"lan\"\nports = [\"a.eth0\", \"b.eth0\"]\n"
	dir := writeFiles(t, map[string]string{"b.toml": port, "twins.toml": twins,
		"one.toml": "name = \"one\"\n[[board]]\nfile = \"b.toml\"\n", "none.toml": "nmae = \"x\"\n"})
	for file, want := range map[string]string{
		"b.toml":       "is a board, not a scenario: 'backplane up ",
		"one.toml":     "is an appliance of 1 board, not a scenario: 'backplane up ",
		"twins.toml":   "a.eth0 and b.eth0 on segment lan both have the mac 02:00:00:00:00:01",
		"none.toml":    "the scenario has no steps",
		"missing.toml": "no such file",
	} {
		out, errs, status := run(t, nil, "run", filepath.Join(dir, file))
		if status != 2 || !strings.Contains(errs, want) || strings.Contains(want, "mac") && strings.Contains(errs, "scenario") {
			t.Errorf("%s: status %d\n%s%s", file, status, out, errs)
		}
	}
}
