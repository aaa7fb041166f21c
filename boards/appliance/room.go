package appliance

import (
	"fmt"
	"os"

	"backplane/guest"
	"backplane/periph/block/image"
)

// growth is what disks, and boards' memory in files, can come to take of the host's file systems, in the order in which
// they came.
type growth []*image.Room

// add counts what one file can come to take.
func (g *growth) add(r image.Room) {
	for _, known := range *g {
		if known.Device == r.Device {
			known.Grows += r.Grows
			return
		}
	}
	*g = append(*g, &r)
}

// notes say of which file systems that is more than they have left.
func (g growth) notes() (list []string) {
	for _, r := range g {
		if r.Grows > r.Free {
			list = append(list, fmt.Sprintf("disks, and memory in files, can come to use %d MiB more beside %s, whose file system has %d MiB left: a disk that finds none left fails writes",
				r.Grows>>20, r.File, r.Free>>20))
		}
	}
	return list
}

// checkRoom says what the host has no room for if the guests write to all of their disks. It is for what there is
// before any of them runs.
func (r *Running) checkRoom(list []*Machine) {
	var g growth
	for _, m := range list {
		for _, p := range m.parts {
			if p.contents == nil {
				continue
			}
			if medium, _ := m.board.Medium(p.table); !medium.ReadOnly {
				g.add(p.contents.Room())
			}
		}
	}
	if len(g) == 0 {
		return // of memory alone it has been said
	}
	for _, m := range list {
		if m.backing == guest.File {
			g.add(memoryRoom(uint64(m.board.Memory)))
		}
	}
	for _, text := range g.notes() {
		r.note(text)
	}
}

// memoryRoom is what memory in a file can come to take.
func memoryRoom(size uint64) (r image.Room) {
	dir, err := guest.MemoryFolder()
	if err != nil {
		return r
	}
	f, err := os.Open(dir)
	if err != nil {
		return r
	}
	defer f.Close()
	return image.RoomFor(f, size)
}
