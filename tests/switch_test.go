package tests

import (
	"strings"
	"testing"
)

const network = "scenarios/network/network.toml"

// TestNetworkScenario plays the scenario of twelve boards.
func TestNetworkScenario(t *testing.T) {
	out, errs, status := run(t, nil, "run", network)
	if status != 0 || !strings.Contains(out, "PASSED: network") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
