package kernel

import "fmt"

// A kernel of a series that Backplane has no patches for is not the one that its
// configuration was written for: what it does not have of that, it goes without.

// drop gives up Backplane's own settings of options that the tree does not have, and
// lists those that were to be had.
func (c *config) drop(known options) (without []string) {
	for name, s := range c.want {
		if _, ok := known[name]; !ok && s.own {
			without = c.without(without, s)
		}
	}
	return without
}

// give does so with those that the kernel's final configuration does not have, but for
// what the guest cannot live without.
func (c *config) give(final string) (without []string) {
	has := settings(final)
	for name, s := range c.want {
		if s.own && s.value != "n" && has[name] == "" && !vital[name] {
			without = c.without(without, s)
		}
	}
	return without
}

func (c *config) without(list []string, s setting) []string {
	delete(c.want, s.name)
	if s.value == "n" {
		return list
	}
	return append(list, "CONFIG_"+s.name)
}

// vital is without what no board can run, in either clock.
var vital = map[string]bool{"64BIT": true, "OF": true, "VIRTIO_UML": true, "VIRTIO_CONSOLE": true, "BLK_DEV_INITRD": true, "BINFMT_ELF": true,
	"UML_TIME_TRAVEL_SUPPORT": true, "DEVTMPFS": true, "PROC_FS": true, "SYSFS": true}

// Losses says, in users' words, what a board with a kernel of such a source does without.
func (f Facts) Losses(cpus int) (list []string) {
	if f.Patched() {
		return nil
	}
	list = append(list, fmt.Sprintf("its kernel %s is built without Backplane's patches, which are for %s: docs/kernel.md says what they do", f.Version, Series))
	if cpus > 1 && !f.SMP {
		list = append(list, fmt.Sprintf("1 of its %d CPUs: User Mode Linux %s has one", cpus, f.Version))
	}
	return list
}
