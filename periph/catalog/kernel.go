package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// KernelConfig is the part of the guest kernels' configuration that the catalog makes,
// firmware/kernel/parts.config: the symbols of all controllers and models, each once.
func KernelConfig() []byte {
	symbols := make(map[string]bool)
	add := func(list []string) {
		for _, symbol := range list {
			symbols[symbol] = true
		}
	}
	for _, k := range All.Controllers {
		add(k.Kernel)
	}
	for _, m := range All.Models {
		add(m.Kernel)
	}
	var b bytes.Buffer
	b.WriteString("# The drivers of controllers and chips, as the catalog names them: made by `make generated`.\n")
	for _, symbol := range slices.Sorted(maps.Keys(symbols)) {
		fmt.Fprintf(&b, "%s=y\n", symbol)
	}
	return b.Bytes()
}
