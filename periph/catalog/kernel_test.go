package catalog

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKernelConfig holds the guest kernels' configuration against the catalog.
func TestKernelConfig(t *testing.T) {
	text, err := os.ReadFile("../../firmware/kernel/parts.config")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(KernelConfig()), string(text)); diff != "" {
		t.Errorf("firmware/kernel/parts.config is not the catalog's: run `make generated` (-want +got):\n%s", diff)
	}
	has := func(who string, symbols []string) {
		for _, symbol := range symbols {
			if !regexp.MustCompile(`(?m)^` + symbol + `=y$`).Match(text) {
				t.Errorf("kernels have no %s, which %s needs", symbol, who)
			}
		}
	}
	for _, m := range All.Models {
		if (m.Node == nil) != (len(m.Kernel) == 0) {
			t.Errorf("%s: a chip has a device-tree node and symbols of its driver, or neither", m.Name)
		}
		has(m.Name, m.Kernel)
	}
	for _, c := range All.Controllers {
		if len(c.Kernel) == 0 {
			t.Errorf("%s has no symbols of its driver", c.Title)
		}
		has(c.Title, c.Kernel)
	}
}
