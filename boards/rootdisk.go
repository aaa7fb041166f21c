package boards

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"backplane/firmware/config"
	"backplane/firmware/volume"
	"backplane/periph"
	"backplane/periph/block/image"
)

// kernelsInit is what a kernel runs of a root on a disk (Linux init/main.c).
const kernelsInit = "/sbin/init"

// place is a disk of the board, or one of its partitions.
type place struct {
	disk      *Controller
	partition int // 0: the whole disk
}

// device is what Linux calls it (drivers/block/virtio_blk.c: virtblk_name_format).
func (p place) device() string {
	name := ""
	for i := p.disk.Index; i >= 0; i = i/26 - 1 {
		name = string(rune('a'+i%26)) + name
	}
	if p.partition != 0 {
		name += strconv.Itoa(p.partition)
	}
	return "/dev/vd" + name
}

// place is what a name such as "system.2" leads to.
func (b *Board) place(name string) (p place, err error) {
	disk, number, parted := strings.Cut(name, ".")
	if parted {
		if p.partition, err = strconv.Atoi(number); err != nil || p.partition < 1 {
			return p, fmt.Errorf("%q is no place: write DISK, or DISK.NUMBER for one of its partitions, such as \"%s.2\"", name, disk)
		}
	}
	var disks []string
	for _, c := range b.Controllers() {
		if _, is := c.Config.(periph.StorageConfig); is {
			if disks = append(disks, c.Name); c.Name == disk {
				p.disk = c
			}
		}
	}
	if p.disk == nil {
		return p, fmt.Errorf("the board has no disk %q%s", disk, periph.Suggest(disk, disks))
	}
	return p, nil
}

// rootDisks finds what is wrong with where the root is, without looking into files.
func (c *checker) rootDisks() {
	f := &c.b.Firmware
	if f.Root == "" {
		if f.Overlay != "" {
			c.doc.Add("firmware.overlay", "an overlay needs a root on a disk: write root = \"DISK\"")
		}
		return
	}
	if c.doc.Has("firmware.rootfs") {
		c.doc.Add("firmware.root", "root and rootfs are two root file systems: leave one out")
	}
	for _, word := range strings.Fields(f.KernelArgs) {
		if key, _, _ := strings.Cut(word, "="); slices.Contains([]string{"root", "rootfstype", "rdinit"}, key) {
			c.doc.Add("firmware.args", "args has %q, but root says where the root is, and its file system is found out", word)
		}
	}
	if _, err := c.b.place(f.Root); err != nil {
		c.doc.Add("firmware.root", "root: %v", err)
	}
	if f.Overlay == "" || f.Overlay == config.Memory {
		return
	}
	switch over, err := c.b.place(f.Overlay); {
	case err != nil:
		c.doc.Add("firmware.overlay", "overlay: %v, or write \"%s\" for one in memory", err, config.Memory)
	case f.Overlay == f.Root:
		c.doc.Add("firmware.overlay", "overlay and root are the same: leave overlay out to write to the root itself")
	case readOnly(over.disk):
		c.doc.Add("firmware.overlay", "overlay is on %s, which is read_only", over.disk.Name)
	}
}

// readOnly tells whether a disk can only be read.
func readOnly(c *Controller) bool {
	config, ok := c.Config.(periph.StorageConfig)
	return ok && config.Medium().ReadOnly
}

// Root is what init has to know of a root on a disk, nil if it is on none.
func (b *Board) Root() *config.Root {
	f := &b.Firmware
	if f.Root == "" {
		return nil
	}
	p, err := b.place(f.Root)
	if err != nil {
		return nil // which the check has said
	}
	r := &config.Root{Device: p.device(), ReadOnly: readOnly(p.disk), Overlay: f.Overlay}
	if over, err := b.place(f.Overlay); err == nil && f.Overlay != config.Memory {
		r.Overlay = over.device()
	}
	for _, word := range strings.Fields(f.KernelArgs) {
		if options, ok := strings.CutPrefix(word, "rootflags="); ok {
			r.Options = options
		}
		r.ReadOnly = r.ReadOnly || word == "ro"
	}
	return r
}

// KernelWords are what the board's kernel has on its command line beside what every board's has.
func (b *Board) KernelWords() (words []string) {
	if r := b.Root(); r != nil {
		mode := "rw"
		if r.ReadOnly {
			mode = "ro"
		}
		words = append(words, "root="+r.Device, mode)
	}
	return append(words, strings.Fields(b.Firmware.KernelArgs)...)
}

// checkRootDisks looks into the files for the root's file system.
func (b *Board) checkRootDisks(a *Appliance) {
	f := &b.Firmware
	look := func(key, name string, written bool) {
		p, err := b.place(name)
		if err == nil {
			err = b.checkVolume(p, a.paths.Folder.Open, written)
		} else {
			err = nil // which has been said
		}
		if err != nil {
			a.doc.Problems = append(a.doc.Problems, b.doc.Problem("firmware."+key, "%s: %v", key, err))
		}
	}
	if f.Root == "" {
		return
	}
	look("root", f.Root, false)
	if f.Overlay != "" && f.Overlay != config.Memory && f.Overlay != f.Root {
		look("overlay", f.Overlay, true)
	}
}

// checkVolume says why a disk or partition has no file system for a root, or none for what is
// written. A file that has mistakes of its own, or that a run has, is not looked at.
func (b *Board) checkVolume(p place, open image.Opener, written bool) error {
	medium, ok := b.Medium(p.disk)
	if !ok {
		return nil
	}
	i, err := medium.Look(open)
	if err != nil {
		return nil // which the check of disks has said
	}
	if i == nil {
		return fmt.Errorf("disk %s is empty at first: write image = \"FILE\" in its table ('backplane image build' makes one)", p.disk.Name)
	}
	defer i.Close()
	file, size := i.File, max(i.Size(), medium.Size)
	table, err := volume.ReadTable(i, size)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	what, start := file, int64(0)
	switch {
	case p.partition != 0 && table == nil:
		return fmt.Errorf("%s has no partitions: write \"%s\"", file, p.disk.Name)
	case p.partition != 0:
		part, ok := table.Partition(p.partition)
		if !ok {
			return fmt.Errorf("%s has no partition %d, but %s", file, p.partition, partitions(table))
		}
		what, start, size = fmt.Sprintf("partition %d of %s", p.partition, file), part.Start, part.Size
	case table != nil:
		return fmt.Errorf("%s has partitions (%s): write \"%s.NUMBER\"", file, partitions(table), p.disk.Name)
	}
	is, err := volume.Identify(io.NewSectionReader(i, start, size), size)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case is == nil || is.Name == "":
		return fmt.Errorf("%s has %s", what, is)
	case written && is.ReadOnly:
		return fmt.Errorf("%s has %s, which cannot be written to", what, is)
	}
	return nil
}

// partitions are the numbers of a table's.
func partitions(t *volume.Table) string {
	var list []string
	for _, p := range t.Partitions {
		list = append(list, strconv.Itoa(p.Number))
	}
	return strings.Join(list, ", ")
}
