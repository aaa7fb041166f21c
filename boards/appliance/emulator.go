package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/firmware/config"
	"backplane/guest/emulator"
	"backplane/guest/rootfs"
)

// emulatorsDir is where a board's init finds the emulator of its programs.
const emulatorsDir = "/etc/backplane"

// findEmulators finds those of boards with programs of another architecture, if there are any.
func (r *Running) findEmulators(ctx context.Context, a *boards.Appliance) (err error) {
	if r.emulators != "" {
		return nil
	}
	for _, m := range a.Members() {
		if _, is := m.Board.Foreign(); !is {
			continue
		}
		if r.opts.Emulators == nil {
			return fmt.Errorf("board %s: there are no emulators here for its programs", m.Name)
		}
		if r.emulators, err = r.opts.Emulators(ctx); err != nil {
			return fmt.Errorf("board %s: emulator of its programs: %w", m.Name, err)
		}
		return nil
	}
	return nil
}

// addEmulator puts a board's emulator into its initial file system, if it needs one.
func (m *Machine) addEmulator(p *rootfs.Packer) error {
	arch, is := m.board.Foreign()
	if !is {
		return nil
	}
	err := p.Add(rootfs.File{Path: emulatorPath(arch), Mode: 0o755, Host: filepath.Join(m.r.emulators, arch.Program)})
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("emulator of its programs: %w: 'backplane emulator build' makes it", err)
	}
	return err
}

func emulatorPath(a emulator.Arch) string { return emulatorsDir + "/" + a.Program }

// emulator is what init has to know of it.
func (m *Machine) emulator() *config.Emulator {
	arch, is := m.board.Foreign()
	if !is {
		return nil
	}
	return &config.Emulator{Path: emulatorPath(arch), Class: byte(arch.Class), Machine: uint16(arch.Machine)}
}
