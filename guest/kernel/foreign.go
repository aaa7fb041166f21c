package kernel

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

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

// Numbers of Backplane's patches without which boards lose something; docs/kernel.md has all.
const (
	noRandomness = "0001"
	turns        = "0002"
	callsTake    = "0008"
	topology     = "0068"
)

// has tells whether this series' patches have one of that number.
func (f Facts) has(number string) bool {
	list, err := patches(f.Series())
	return err == nil && slices.ContainsFunc(list, func(p fragment) bool { return strings.HasPrefix(p.name, number+"-") })
}

// Wants is what a board wants of its kernel.
type Wants struct {
	CPUs     int
	Topology bool // to be seen by programs
	Virtual  bool // time
}

// Losses says, in users' words, what a board with a kernel of such a source does without.
func (f Facts) Losses(w Wants) (list []string) {
	lose := func(is bool, format string, args ...any) {
		if is {
			list = append(list, fmt.Sprintf("kernel %s: ", f.Version)+fmt.Sprintf(format, args...))
		}
	}
	lose(!f.Patched(), "built without patches, since Backplane's are for %s", strings.Join(PatchedSeries(), ", "))
	lose(!f.Seccomp, "programs run under ptrace(2), which is slower; the walls allow it on the guest's own processes (docs/security.md)")
	lose(!w.Virtual && w.CPUs > 1 && !f.SMP, "the board has 1 of its %d CPUs: its User Mode Linux supports one", w.CPUs)
	lose(w.Topology && !f.has(topology), "programs do not see the board's topology and caches: each CPU is a core of one socket")
	if err := f.Virtual(); w.Virtual && err != nil {
		return append(list, err.Error())
	}
	lose(w.Virtual && !f.has(turns), "turns and doorbells are messages, which is slower")
	lose(w.Virtual && !f.has(noRandomness), "a run cannot be repeated: random numbers, the time-stamp counter and the CPU's features are the host's")
	lose(w.Virtual && !f.has(callsTake), "system calls take no time, so a program that polls stops the appliance's time")
	return list
}

// PatchedSeries are those that Backplane has patches for, in alphabetical order.
func PatchedSeries() (list []string) {
	entries, err := fs.ReadDir(files, "patches")
	if err != nil {
		return nil // it is there
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// Missing are Backplane's own options that a kernel which was built goes without.
func (b *Builder) Missing(image Image) (list []string, err error) {
	final, err := os.ReadFile(filepath.Join(filepath.Dir(image.Path), "config"))
	if err != nil {
		return nil, err
	}
	c, err := b.config(image.Facts)
	if err != nil {
		return nil, err
	}
	has := settings(string(final))
	for _, name := range c.order {
		if s := c.want[name]; s.own && s.value != "n" && has[name] == "" {
			list = append(list, "CONFIG_"+name)
		}
	}
	return list, nil
}
