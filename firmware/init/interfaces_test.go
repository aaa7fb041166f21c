package main

import (
	"fmt"
	"testing"

	"backplane/firmware/config"

	"golang.org/x/sys/unix"
)

// TestNamesInAnyOrder renames interfaces as a kernel does, which refuses a name that is taken.
func TestNamesInAnyOrder(t *testing.T) {
	for name, want := range map[string][]string{
		"as they are":    {"eth0", "eth1", "eth2"},
		"swapped":        {"eth1", "eth0", "eth2"},
		"in a circle":    {"eth1", "eth2", "eth0"},
		"others":         {"wan", "lan", "dmz"},
		"one in the way": {"lan", "eth0", "eth1"},
	} {
		t.Run(name, func(t *testing.T) {
			kernel := map[string]string{"eth0": "mac0", "eth1": "mac1", "eth2": "mac2"}
			var interfaces []config.Interface
			for i, n := range want {
				interfaces = append(interfaces, config.Interface{MAC: fmt.Sprintf("mac%d", i), Name: n})
			}
			find := func(mac string) (string, error) {
				for n, m := range kernel {
					if m == mac {
						return n, nil
					}
				}
				return "", unix.ENODEV
			}
			rename := func(from, to string) error {
				if _, taken := kernel[to]; taken || len(to) > 15 {
					return unix.EEXIST
				}
				kernel[to] = kernel[from]
				delete(kernel, from)
				return nil
			}
			if errs := renameAll(interfaces, find, rename); errs != nil {
				t.Fatal(errs)
			}
			for i, n := range want {
				if kernel[n] != fmt.Sprintf("mac%d", i) {
					t.Errorf("%s has the address %s, in %v", n, kernel[n], kernel)
				}
			}
		})
	}
}
