package appliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/firmware/config"
	"backplane/guest/rootfs"
	"backplane/periph"
)

// writeInitrd packs the board's root file system, with our init and what it has to do.
func (m *Machine) writeInitrd() error {
	conf, err := json.MarshalIndent(m.config(), "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(m.dir, initrdFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	p := rootfs.NewPacker(f)
	p.In(m.r.appliance.Folder())
	if err := m.board.PackRoot(p, m.name, m.r.note); err != nil {
		return err
	}
	if err := p.Add(rootfs.File{Path: "/init", Mode: 0o755, Host: filepath.Clean(m.r.opts.Init)}); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the init that every board needs: %w ('make' builds it)", err)
	} else if err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	if err := p.Add(rootfs.File{Path: config.Path, Mode: 0o644, Data: conf}); err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	if err := m.addEmulator(p); err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	if err := m.board.Runnable(p); err != nil {
		return err
	}
	err = p.Close()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	for _, note := range p.Notes() {
		m.r.noteOnce("root file system " + note) // boards may share a layer
	}
	if err := m.fits(path, p.Usage()); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil {
		m.packed = info.Size()
	}
	return err
}

// What a board needs beside its root file system, in bytes: the kernel while it
// unpacks it, and then, when what was packed has gone, the kernel with our init and a
// small program; and the page array, a 64th of its memory. Measured on boards of 32 to
// 200 MiB, with few large files and with many small ones.
const (
	toUnpack      = 21 << 20
	toRun         = 23 << 20
	pageArrayPart = 64
	ofAName       = 512 // what the kernel keeps of each file and folder besides
)

// fits checks that the board's memory holds its root file system twice, packed
// and unpacked, as it does while it boots.
func (m *Machine) fits(path string, unpacked rootfs.Usage) error {
	packed, err := os.Stat(path)
	if err != nil {
		return err
	}
	need := unpacked.Bytes + int64(unpacked.Names)*ofAName + max(packed.Size()+toUnpack, toRun)
	need += need / (pageArrayPart - 1) // so it is that part of all
	if need > int64(m.board.Memory) {
		return tomlfile.Problems{m.board.Problem("memory",
			"memory is %s; it must be at least %dM: the root file system's %d files and folders take %d MiB, each in pages of 4 KiB, plus %d MiB packed while the kernel unpacks them",
			m.board.Memory, need>>20+1, unpacked.Names, unpacked.Bytes>>20, packed.Size()>>20)}
	}
	return nil
}

// config is what init has to do.
func (m *Machine) config() *config.Board {
	f := &m.board.Firmware
	c := &config.Board{Hostname: m.name, Init: f.Init, Args: f.Args, Handover: f.Handover, Startup: time.Duration(m.board.Time.Startup), Shutdown: f.Patience(), Root: m.board.Root(), Emulator: m.emulator()}
	for _, p := range m.devices() {
		if p.own != nil || p.dock != nil {
			m.addConfig(c, p)
		}
	}
	return c
}

// addConfig adds what init has to know of a controller that has a place.
func (m *Machine) addConfig(c *config.Board, p *part) {
	place, table := p.own, p.table
	if place == nil {
		place = p.dock
	}
	if _, ok := p.is.(periph.Lines); ok {
		c.GPIO = append(c.GPIO, config.Chip{Name: p.name, Place: place.name})
	}
	switch target, name := "/dev/"+table.TTY, table.Device; {
	case table.TTY == "":
	case p.name == boards.AgentConsole:
		c.Agent = target
	case name != "" && (name != target || table.Late()):
		c.Devices = append(c.Devices, config.Device{Name: name, Target: target, Hold: !table.Kind.Renamed, Place: place.name})
	}
	if folder, ok := table.Config.(periph.FolderConfig); ok {
		c.Shares = append(c.Shares, config.Share{Mount: folder.Mount(p.name), Place: place.name})
	}
	if table.Kind.Interface {
		c.Interfaces = append(c.Interfaces, config.Interface{MAC: m.r.appliance.Hardware(m.member, table).String(), Name: table.Name, Addresses: table.Address, Gateways: table.Gateway, DNS: table.DNS, Place: place.name})
	}
}

// rewriteConfig lets init, at the next start, know of what was plugged: the kernel unpacks what
// follows the root file system over that.
func (m *Machine) rewriteConfig() error {
	conf, err := json.Marshal(m.config())
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(m.dir, initrdFile), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(m.packed); err != nil {
		return err
	}
	if _, err := f.Seek(m.packed, io.SeekStart); err != nil {
		return err
	}
	p := rootfs.NewPacker(f)
	if err := p.Add(rootfs.File{Path: config.Path, Mode: 0o644, Data: conf}); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	m.untold = nil
	return f.Close()
}

// tellInit tells init of a controller that is plugged and that it does not know. Before it is
// there to be told, that waits.
func (m *Machine) tellInit(p *part) {
	if p.dock.server == nil || slices.Contains(m.built, p) {
		return
	}
	m.untold = append(m.untold, p)
	m.tellUntold()
}

func (m *Machine) tellUntold() {
	if !m.agent.Ready() {
		return
	}
	for _, p := range m.untold {
		if p.dock == nil {
			continue
		}
		var c config.Board
		m.addConfig(&c, p)
		if err := m.agent.Plugged(&c); err != nil {
			m.tellState(StateIncomplete, fmt.Sprintf("%s: %v", p.name, err))
		}
	}
	m.untold = nil
}
