package appliance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/firmware/config"
	"backplane/guest/rootfs"
	"backplane/periph"
)

// writeInitrd packs the board's root file system, with our init and what it has to do.
func (m *Machine) writeInitrd() error {
	init, err := m.r.init()
	if err != nil {
		return fmt.Errorf("the init that every board needs: %w ('make' builds it)", err)
	}
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
	for _, file := range []rootfs.File{
		{Path: "/init", Mode: 0o755, Data: init},
		{Path: config.Path, Mode: 0o644, Data: conf},
	} {
		if err := p.Add(file); err != nil {
			return fmt.Errorf("root file system: %w", err)
		}
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
	return m.fits(path, p.Usage())
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
		if _, ok := p.is.(periph.Lines); ok {
			c.GPIO = append(c.GPIO, p.name)
		}
	}
	for _, p := range m.devices() {
		if p.table.TTY == "" {
			continue
		}
		target := "/dev/" + p.table.TTY
		if p.name == boards.AgentConsole {
			c.Agent = target
		} else if name := p.table.Device; name != "" && name != target {
			c.Devices = append(c.Devices, config.Device{Name: name, Target: target, Hold: !p.table.Kind.Renamed, Place: p.name})
		}
	}
	for _, p := range m.devices() {
		if folder, ok := p.table.Config.(periph.FolderConfig); ok {
			c.Shares = append(c.Shares, folder.Mount(p.name))
		}
	}
	for _, p := range m.devices() {
		if x := p.table; x.Kind.Interface {
			c.Interfaces = append(c.Interfaces, config.Interface{MAC: m.r.appliance.Hardware(m.member, x).String(), Name: x.Name, Addresses: x.Address, Gateways: x.Gateway, DNS: x.DNS})
		}
	}
	return c
}
