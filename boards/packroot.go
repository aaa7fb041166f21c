package boards

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/guest/emulator"
	"backplane/guest/rootfs"
	"backplane/periph"
)

// PackRoot packs a board's layers, or the small root file system of one that names none.
// There is nothing to pack if the root is on a disk.
func (b *Board) PackRoot(p *rootfs.Packer, name string, note func(string)) error {
	if b.Firmware.Root != "" {
		return nil
	}
	p.Limit(hopeless * int64(b.Memory))
	if !b.doc.Has("firmware.rootfs") {
		if err := p.Small(); errors.Is(err, rootfs.ErrNoBusybox) {
			note(fmt.Sprintf("board %s has no programs: %v", name, err))
		} else if err != nil {
			return fmt.Errorf("root file system: %w", err)
		}
	}
	for i, l := range b.Firmware.Rootfs {
		if err := p.Layer(b.Beside(l)); err != nil {
			return b.layerError(i, err)
		}
	}
	return b.mountable(p)
}

// Runnable says why the board's root file system, which is packed, does not have its init.
func (b *Board) Runnable(p *rootfs.Packer) error {
	if b.Firmware.Init == "" || b.Firmware.Root != "" {
		return nil
	}
	machine, err := p.Program(b.Firmware.Init)
	if err == nil {
		err = b.runs(machine)
	}
	if err == nil {
		return nil
	}
	hint := ""
	var missing *rootfs.MissingError
	if errors.As(err, &missing) {
		best := missing.Same
		if best == "" {
			best = periph.Nearest(missing.Path, missing.Programs)
		}
		switch {
		case len(missing.Programs) == 0:
			hint = ", which has no programs"
		case best != "":
			hint = fmt.Sprintf(": did you mean %q?", best)
		}
	}
	return tomlfile.Problems{b.doc.Problem("firmware.init", "init cannot be run: %v%s", err, hint)}
}

// runs says why the board cannot run its init, which is for that machine; 0: for any.
func (b *Board) runs(machine elf.Machine) error {
	arch, _ := b.Foreign()
	if machine == 0 || machine == elf.EM_X86_64 || machine == arch.Machine {
		return nil
	}
	i := slices.IndexFunc(emulator.Archs, func(a emulator.Arch) bool { return a.Machine == machine })
	if i < 0 {
		return fmt.Errorf("%s runs on another machine (%s); boards have programs for %s", b.Firmware.Init, machine, strings.Join(emulator.Names(), ", "))
	}
	return fmt.Errorf("%s runs on %s: write arch = %[2]q in [firmware]", b.Firmware.Init, emulator.Archs[i].Name)
}

// nowhere takes an archive that nobody wants.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error)            { return len(p), nil }
func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// CheckRoots reads the root file systems of boards that have an init of their own, as
// Start does, and says what is wrong with those. What several boards have in common is
// read once. The error is [tomlfile.Problems] unless this machine is at fault.
func (a *Appliance) CheckRoots() error {
	var all tomlfile.Problems
	read := make(map[string]bool)
	for i := range a.Board {
		b := a.Board[i].Board
		root := fmt.Sprintf("%q %d %q %q", b.doc.File, b.Memory, b.Firmware.Rootfs, b.Firmware.Init)
		if b.Firmware.Init == "" || b.Firmware.Root != "" || read[root] {
			continue
		}
		read[root] = true
		p := rootfs.NewPacker(nowhere{})
		p.In(a.paths.Folder)
		err := b.PackRoot(p, a.Board[i].Name, func(string) {})
		if err == nil {
			err = b.Runnable(p)
		}
		var problems tomlfile.Problems
		if err != nil && !errors.As(err, &problems) {
			return err
		}
		all = append(all, problems...)
	}
	if len(all) > 0 {
		return all
	}
	return nil
}

// hopeless is how many times a board's memory is packed before its root file system is
// given up, as one that may have no end. What is less is packed whole, to tell how much it is.
const hopeless = 2

// layerError says what is wrong with the i-th layer of the board's root file system.
func (b *Board) layerError(i int, err error) error {
	var content *rootfs.ContentError
	switch {
	case errors.Is(err, rootfs.ErrTooLarge):
		return tomlfile.Problems{b.doc.Problem("memory", "memory is %s, but the root file system has more than %d times that: %v", b.Memory, hopeless, err)}
	case errors.As(err, &content):
		return tomlfile.Problems{b.layerProblem(i, err)}
	}
	return fmt.Errorf("root file system: %w", err)
}

// layerProblem is a mistake in the i-th layer of a board's root file system, which its
// own file names, or the appliance's.
func (b *Board) layerProblem(i int, err error) tomlfile.Problem {
	if own := len(b.Firmware.Rootfs) - len(b.layers); i >= own {
		return b.layers[i-own].problem("root file system: %v", err)
	}
	return b.doc.Problem(fmt.Sprintf("firmware.rootfs[%d]", i), "root file system: %v", err)
}
