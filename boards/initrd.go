package boards

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"backplane/boards/tomlfile"
	"backplane/firmware/config"
	"backplane/guest/rootfs"
	"backplane/periph/virtio"
)

// writeInitrd packs the board's root file system, with our init and what it has to do.
func (m *Machine) writeInitrd() error {
	init, err := os.ReadFile(m.r.opts.Init)
	if err != nil {
		return fmt.Errorf("the init that every board needs: %w ('make' builds it)", err)
	}
	conf, err := json.MarshalIndent(m.config(), "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(m.dir, "initrd.cpio")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	p := rootfs.NewPacker(f)
	p.In(m.r.appliance.paths.Folder)
	if err := m.board.packRoot(p, m.name, m.r.note); err != nil {
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
	if err := m.board.runnable(p); err != nil {
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

// hopeless is how many times a board's memory is packed before its root file system is
// given up, as one that may have no end. What is less is packed whole, to tell how much it is.
const hopeless = 2

// layerError says what is wrong with the i-th layer of the board's root file system.
func (b *Board) layerError(i int, err error) error {
	var content *rootfs.ContentError
	switch {
	case errors.Is(err, rootfs.ErrTooLarge):
		return tomlfile.Problems{b.doc.Problem("memory", "memory is %s, and the root file system has more than %d times that: %v", b.Memory, hopeless, err)}
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

// What a board needs beside its root file system, in bytes: the kernel while it
// unpacks it, and then, when what was packed has gone, the kernel with our init and a
// small program; and the page array, a 64th of its memory. Measured on boards of 32 to
// 200 MiB, with few large files and with many small ones.
const (
	toUnpack      = 21 << 20
	toRun         = 23 << 20
	pageArrayPart = 64
)

// fits checks that the board's memory holds its root file system twice, packed
// and unpacked, as it does while it boots.
func (m *Machine) fits(path string, unpacked rootfs.Usage) error {
	packed, err := os.Stat(path)
	if err != nil {
		return err
	}
	need := unpacked.Bytes + max(packed.Size()+toUnpack, toRun)
	need += need / (pageArrayPart - 1) // so it is that part of all
	if need > int64(m.board.Memory) {
		return tomlfile.Problems{m.board.doc.Problem("memory",
			"memory is %s, and must be at least %dM: the root file system's %d files and folders take %d MiB, each in pages of 4 KiB, beside %d MiB packed while the kernel unpacks them",
			m.board.Memory, need>>20+1, unpacked.Names, unpacked.Bytes>>20, packed.Size()>>20)}
	}
	return nil
}

// config is what init has to do.
func (m *Machine) config() *config.Board {
	f := &m.board.Firmware
	c := &config.Board{Hostname: m.name, Init: f.Init, Args: f.Args, Handover: f.Handover, Startup: time.Duration(m.board.Time.Startup), Shutdown: f.patience()}
	for _, g := range m.board.GPIO {
		c.GPIO = append(c.GPIO, g.Name)
	}
	devices := make(map[string]string) // by the console's name
	for _, s := range m.board.Serial {
		devices[s.Name] = s.Device
	}
	for _, s := range m.board.Console {
		devices[s.Name] = s.Device
	}
	hvc := 0
	for _, s := range m.slots {
		if s.dev.ID() != virtio.IDConsole {
			continue
		}
		target := fmt.Sprintf("/dev/hvc%d", hvc)
		hvc++
		if s.dev == m.slots[len(m.slots)-1].dev {
			c.Agent = target
		} else if name := devices[s.name]; name != "" && name != target {
			c.Devices = append(c.Devices, config.Device{Name: name, Target: target})
		}
	}
	for i := range m.board.Ethernet {
		e := &m.board.Ethernet[i]
		c.Interfaces = append(c.Interfaces, config.Interface{MAC: m.nics[e.Name].MAC().String(), Name: e.Name, Addresses: e.Address, Gateways: e.Gateway, DNS: e.DNS})
	}
	return c
}
