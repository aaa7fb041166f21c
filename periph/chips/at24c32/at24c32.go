// Package at24c32 models the AT24C32, an EEPROM on I2C.
package at24c32

import (
	"bytes"
	"errors"
	"os"
	"time"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus"
	"backplane/simbus/hostfile"
	"backplane/simbus/wire"
)

// Model is the EEPROM of Microchip DS20006109, whose write cycle is 5 ms at
// most and whose WP protects the whole array. While it writes it does not
// acknowledge, which is how drivers wait for it.
var Model = &periph.Model{
	Name:   "at24c32",
	Title:  "Microchip (Atmel) AT24C32 4 KiB EEPROM",
	Source: "Microchip DS20006109A (AT24C32E), 2018",
	On:     []*periph.Mount{i2c.AtRange(0x50, 0x57)},
	Pins:   []periph.PinSpec{{Name: "wp", Doc: "WP: high protects the memory from writes"}},
	Properties: []periph.Spec{
		{Name: "write_protect", Kind: periph.Switch, Doc: "protects the memory from writes, as if WP were high"},
		{Name: "writes", Kind: periph.Whole, ReadOnly: true, Doc: "write cycles since power-on"},
	},
	Options: []periph.Spec{
		{Name: "file", Kind: periph.Text, Doc: "file of 4096 bytes that keeps the contents, made if missing; without it they are lost"},
	},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "eeprom", Compatible: []string{"atmel,24c32"},
			Properties: []periph.NodeProperty{{Name: "pagesize", Value: uint32(pageSize)}}}
	},
	Kernel: []string{"CONFIG_EEPROM_AT24"},
	New: func(env *periph.Env, o *periph.Options) (periph.Chip, error) {
		c := &chip{env: env, wp: env.Pin("wp"), protected: o.Get("write_protect").Bool()}
		copy(c.data[:], bytes.Repeat([]byte{0xff}, size))
		if name := o.Get("file").Text(); name != "" {
			f, b, err := hostfile.Keep(env.Path(name), size, 0xff)
			copy(c.data[:], b)
			c.file = f
			return c, err
		}
		return c, nil
	},
}

// Sizes and the longest write cycle (DS20006109A page 1).
const (
	size     = 4096
	pageSize = 32
	cycle    = 5 * time.Millisecond
)

type chip struct {
	env       *periph.Env
	wp        *wire.Pin
	file      *os.File // that keeps the contents; nil for none
	data      [size]byte
	writing   [pageSize]cell // of the write cycle under way, by the place in its page
	page      uint16         // where that begins
	begun     simbus.Time
	address   uint16
	protected bool
	writes    int
	busy      *simbus.Timer // the write cycle under way
	unsaved   error         // why the file could not be written
}

// cell is a byte that is being written.
type cell struct {
	on  bool
	old byte
}

func (c *chip) save() error {
	if c.file == nil {
		return nil
	}
	_, err := c.file.WriteAt(c.data[:], 0)
	return err
}

// Transfer answers as the part does: a write of two bytes sets the address, more
// are data for its page; reads go on from the address.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	if c.busy != nil {
		return i2c.ErrNoAck
	}
	for n, m := range msgs {
		switch {
		case m.Read:
			for i := range m.Data {
				m.Data[i] = c.data[c.address]
				c.address = (c.address + 1) % size
			}
		case len(m.Data) >= 2:
			c.address = (uint16(m.Data[0])<<8 | uint16(m.Data[1])) % size
			if n == len(msgs)-1 { // only a STOP begins the write cycle
				c.write(m.Data[2:])
			}
		case len(m.Data) == 1:
			c.address = uint16(m.Data[0]) << 8 % size
		}
	}
	return nil
}

// write writes within a page, rolling over at its end, and begins the write cycle.
func (c *chip) write(data []byte) {
	if len(data) == 0 || c.protected || c.wp.Level() == wire.High {
		return
	}
	c.page, c.begun = c.address&^(pageSize-1), c.env.Clock.Now()
	c.writing = [pageSize]cell{}
	for _, b := range data {
		if w := &c.writing[c.address%pageSize]; !w.on {
			*w = cell{true, c.data[c.address]}
		}
		c.data[c.address] = b
		c.address = c.page | (c.address+1)%pageSize
	}
	c.count(c.writes + 1)
	c.busy = simbus.After(c.env.Clock, cycle, func() {
		c.busy = nil
		c.unsaved = c.save()
	})
}

func (c *chip) count(writes int) {
	if writes != c.writes {
		c.writes = writes
		c.env.Changed("writes", c.Get("writes"))
	}
}

// Power tears the write cycle under way, and keeps the contents. The address
// counter is kept only while there is power (DS20006109A section 7).
func (c *chip) Power(on bool) {
	switch {
	case on:
		c.address = 0
		c.count(0)
	case c.busy.Stop():
		c.busy = nil
		c.tear()
		c.unsaved = c.save()
	}
}

// tear leaves what an EEPROM's cells hold when their write cycle ends too early.
// It erases them to ones first, and then programs the zeros: in either half some
// bits have changed already and others have not. The data sheet promises nothing.
func (c *chip) tear() {
	erasing := c.env.Clock.Now().Sub(c.begun) < cycle/2
	for i, w := range c.writing {
		b := &c.data[int(c.page)+i]
		switch changed := byte(c.env.Rand.Uint32()); {
		case !w.on:
		case erasing:
			*b = w.old | changed
		default:
			*b |= changed
		}
	}
}

func (c *chip) Get(property string) periph.Value {
	if property == "writes" {
		return periph.Num(float64(c.writes))
	}
	return periph.On(c.protected)
}

func (c *chip) Set(_ string, v periph.Value) error {
	c.protected = v.Bool()
	return nil
}

// Close saves a write that is under way, as it would have come to its end: the
// end of the run is no loss of power. It tries again what could not be saved before.
func (c *chip) Close() error {
	if c.busy.Stop() || c.unsaved != nil {
		c.unsaved = c.save()
	}
	err := c.unsaved
	if c.file != nil {
		err = errors.Join(err, c.file.Close())
		c.file = nil
	}
	return err
}
