package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
)

// controller decides and answers; it knows no hardware.
type controller struct {
	on, off float64 // limits of the fan in °C

	temperature float64
	known       bool // there is a reading that is not stale
	fan         bool
	manual      bool // the fan was switched by hand
	log         history
}

// reading takes what the sensor board sends: "seq=1 temp=21.50 volt=5.000 amp=0.100".
func (c *controller) reading(text string) error {
	t, err := parseReading(text)
	if err != nil {
		return err
	}
	c.temperature, c.known = t, true
	c.control()
	return c.log.add(t)
}

func parseReading(text string) (temperature float64, err error) {
	for _, field := range strings.Fields(text) {
		if v, ok := strings.CutPrefix(field, "temp="); ok {
			t, err := strconv.ParseFloat(v, 64)
			if err != nil || math.IsNaN(t) || math.Abs(t) > 1000 {
				return 0, fmt.Errorf("a reading with the temperature %q", v)
			}
			return t, nil
		}
	}
	return 0, fmt.Errorf("a reading without a temperature: %q", text)
}

// control switches the fan, with hysteresis.
func (c *controller) control() {
	switch {
	case c.manual || !c.known:
	case c.temperature >= c.on:
		c.fan = true
	case c.temperature <= c.off:
		c.fan = false
	}
}

// stale is called when no reading has come for a while: the fan runs, to be safe.
func (c *controller) stale() {
	c.known = false
	if !c.manual {
		c.fan = true
	}
}

func (c *controller) state() string {
	if !c.known {
		return "temp unknown fan " + onOff(c.fan)
	}
	return fmt.Sprintf("temp %.2f fan %s", c.temperature, onOff(c.fan))
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

const help = "commands: temp, fan [on|off|auto], limits [ON OFF], history N, help\n"

// command answers one line of the protocol on the UART.
func (c *controller) command(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	args := words[1:]
	switch {
	case words[0] == "temp" && len(args) == 0:
		if !c.known {
			return "temp unknown\n"
		}
		return fmt.Sprintf("temp %.2f\n", c.temperature)
	case words[0] == "fan" && len(args) <= 1:
		return c.fanCommand(args)
	case words[0] == "limits" && (len(args) == 0 || len(args) == 2):
		return c.limits(args)
	case words[0] == "history" && len(args) == 1:
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 {
			return "error: history needs a number of lines\n"
		}
		return c.log.last(n)
	case words[0] == "help":
		return help
	}
	return fmt.Sprintf("error: unknown command %q; %s", text, help)
}

func (c *controller) fanCommand(args []string) string {
	if len(args) == 1 {
		switch args[0] {
		case "on", "off":
			c.manual, c.fan = true, args[0] == "on"
		case "auto":
			c.manual = false
			c.control()
		default:
			return "error: the fan can be on, off or auto\n"
		}
	}
	return "fan " + onOff(c.fan) + "\n"
}

func (c *controller) limits(args []string) string {
	if len(args) == 2 {
		on, err1 := strconv.ParseFloat(args[0], 64)
		off, err2 := strconv.ParseFloat(args[1], 64)
		if err1 != nil || err2 != nil || !(on > off) {
			return "error: limits are two numbers, the first higher\n"
		}
		c.on, c.off = on, off
		c.control()
	}
	return fmt.Sprintf("limits %g %g\n", c.on, c.off)
}

// memory is where the history is kept.
type memory interface {
	read(address int, data []byte) error
	write(address int, data []byte) error
}

// The history is a ring of records of 16 bytes in 4 KiB: a sequence number, the
// temperature in hundredths, zeros, and a checksum. A record lies within a page.
const (
	recordSize = 16
	records    = 4096 / recordSize
)

type history struct {
	memory memory
	next   uint32 // sequence number of the next record; 1 is the first ever
}

func encode(seq uint32, temperature float64) []byte {
	b := make([]byte, recordSize)
	binary.LittleEndian.PutUint32(b, seq)
	binary.LittleEndian.PutUint32(b[4:], uint32(int32(math.Round(temperature*100))))
	binary.LittleEndian.PutUint32(b[12:], crc32.ChecksumIEEE(b[:12]))
	return b
}

// decode reads a record; ok is false for one that was never written, or not to its end.
func decode(b []byte) (seq uint32, temperature float64, ok bool) {
	if len(b) != recordSize || binary.LittleEndian.Uint32(b[12:]) != crc32.ChecksumIEEE(b[:12]) {
		return 0, 0, false
	}
	seq = binary.LittleEndian.Uint32(b)
	return seq, float64(int32(binary.LittleEndian.Uint32(b[4:]))) / 100, seq > 0
}

// resume finds the newest record, to go on behind it.
func (h *history) resume() error {
	h.next = 1
	all := make([]byte, records*recordSize)
	if err := h.memory.read(0, all); err != nil {
		return fmt.Errorf("read the history: %w", err)
	}
	for i := range records {
		if seq, _, ok := decode(all[i*recordSize:][:recordSize]); ok && seq >= h.next && int(seq)%records == i {
			h.next = seq + 1
		}
	}
	return nil
}

func (h *history) add(temperature float64) error {
	if h.next == 0 {
		return errors.New("the history was not read")
	}
	err := h.memory.write(int(h.next)%records*recordSize, encode(h.next, temperature))
	if err == nil {
		h.next++
	}
	return err
}

// last is the newest records, a line each, newest first.
func (h *history) last(n int) string {
	var s strings.Builder
	b := make([]byte, recordSize)
	for seq := h.next - 1; seq > 0 && n > 0; seq, n = seq-1, n-1 {
		if err := h.memory.read(int(seq)%records*recordSize, b); err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		got, t, ok := decode(b)
		if !ok || got != seq {
			break // it was overwritten, or is older than the ring
		}
		fmt.Fprintf(&s, "%d %.2f\n", got, t)
	}
	return s.String() + "end\n"
}
