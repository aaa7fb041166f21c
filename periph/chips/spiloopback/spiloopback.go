// Package spiloopback models a wire from MOSI to MISO of an SPI bus.
package spiloopback

import (
	"backplane/periph"
	"backplane/periph/spi"
)

// Model is a wire from MOSI to MISO: what programs and drivers write they read. It is
// for spidev, which has no compatible of its own to be named by: the node carries that of a
// part that the driver serves.
var Model = &periph.Model{
	Name:   "spi_loopback",
	Title:  "wire from MOSI to MISO of an SPI bus, for programs with spidev",
	Source: "Linux Documentation/spi/spidev.rst",
	On:     []*periph.Mount{spi.Select(spi.Limits{Modes: []spi.Mode{spi.Mode0, spi.Mode1, spi.Mode2, spi.Mode3}, MaxHz: 200_000_000})},
	Node: func(*periph.Options) periph.Node {
		return periph.Node{Name: "loopback", Compatible: []string{"rohm,bh2228fv"}}
	},
	Kernel: []string{"CONFIG_SPI_SPIDEV"},
	New:    func(*periph.Env, *periph.Options) (periph.Chip, error) { return chip{}, nil },
}

type chip struct{}

// Select tells a wire nothing.
func (chip) Select() {}

// Exchange gives back what comes.
func (chip) Exchange(tx, rx []byte, _ int) { copy(rx, tx) }

// Deselect tells a wire nothing.
func (chip) Deselect() {}

// Power is nothing that a wire needs.
func (chip) Power(bool) {}

// Get and Set are of no property.
func (chip) Get(string) periph.Value        { return periph.Value{} }
func (chip) Set(string, periph.Value) error { return nil }

// Close has nothing to end.
func (chip) Close() error { return nil }
