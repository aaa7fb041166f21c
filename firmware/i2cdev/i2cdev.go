// Package i2cdev talks to I2C chips through /dev/i2c-N (Linux
// Documentation/i2c/dev-interface.rst). Its methods have the names and meanings
// of github.com/d2r2/go-i2c, so that code for that needs one changed import.
//
// Reads of a register are one transaction with a repeated START, as most chips
// want; go-i2c made two transactions of them.
package i2cdev

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// I2C is one chip on one bus.
type I2C struct {
	addr uint8
	bus  int
	fd   int
}

// Msg is one message of a transaction.
type Msg struct {
	Read bool
	Data []byte
}

// Numbers of linux/i2c-dev.h and linux/i2c.h.
const (
	ioctlRDWR = 0x0707
	flagRead  = 1
	maxMsgs   = 42
)

// i2cMsg is struct i2c_msg, rdwrData struct i2c_rdwr_ioctl_data.
type i2cMsg struct {
	addr, flags, length uint16
	buf                 *byte
}

type rdwrData struct {
	msgs  *i2cMsg
	nmsgs uint32
}

// NewI2C opens a chip: a 7-bit address on /dev/i2c-bus.
func NewI2C(addr uint8, bus int) (*I2C, error) {
	path := fmt.Sprintf("/dev/i2c-%d", bus)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &I2C{addr: addr, bus: bus, fd: fd}, nil
}

// GetBus is the number of the chip's bus.
func (v *I2C) GetBus() int { return v.bus }

// GetAddr is the chip's address.
func (v *I2C) GetAddr() uint8 { return v.addr }

// Close closes the bus.
func (v *I2C) Close() error { return unix.Close(v.fd) }

// Transfer carries out messages as one transaction, with repeated STARTs.
func (v *I2C) Transfer(msgs ...Msg) error {
	if len(msgs) == 0 || len(msgs) > maxMsgs {
		return fmt.Errorf("i2c-%d: a transaction of %d messages: there may be 1 to %d", v.bus, len(msgs), maxMsgs)
	}
	list := make([]i2cMsg, len(msgs))
	for i, m := range msgs {
		if len(m.Data) > 8192 {
			return fmt.Errorf("i2c-%d: a message of %d bytes: there may be 8192", v.bus, len(m.Data))
		}
		list[i] = i2cMsg{addr: uint16(v.addr), length: uint16(len(m.Data))}
		if m.Read {
			list[i].flags = flagRead
		}
		if len(m.Data) > 0 {
			list[i].buf = &m.Data[0]
		}
	}
	data := rdwrData{&list[0], uint32(len(list))}
	done, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(v.fd), ioctlRDWR, uintptr(unsafe.Pointer(&data)))
	if errno == 0 && int(done) < len(msgs) {
		errno = unix.ENXIO // some adapters say how far they came, and leave it at that
	}
	if errno != 0 {
		return fmt.Errorf("i2c-%d address %#02x: %w", v.bus, v.addr, errno)
	}
	return nil
}

// ReadBytes reads as many bytes as buf holds.
func (v *I2C) ReadBytes(buf []byte) (int, error) {
	if err := v.Transfer(Msg{Read: true, Data: buf}); err != nil {
		return 0, err
	}
	return len(buf), nil
}

// WriteBytes writes all of buf.
func (v *I2C) WriteBytes(buf []byte) (int, error) {
	if err := v.Transfer(Msg{Data: buf}); err != nil {
		return 0, err
	}
	return len(buf), nil
}

// ReadRegBytes reads n bytes from a register.
func (v *I2C) ReadRegBytes(reg byte, n int) ([]byte, int, error) {
	buf := make([]byte, n)
	if err := v.Transfer(Msg{Data: []byte{reg}}, Msg{Read: true, Data: buf}); err != nil {
		return nil, 0, err
	}
	return buf, n, nil
}

// ReadRegU8 reads a byte from a register.
func (v *I2C) ReadRegU8(reg byte) (byte, error) {
	b, _, err := v.ReadRegBytes(reg, 1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// WriteRegU8 writes a byte to a register.
func (v *I2C) WriteRegU8(reg byte, value byte) error {
	_, err := v.WriteBytes([]byte{reg, value})
	return err
}

func (v *I2C) readU16(reg byte, order binary.ByteOrder) (uint16, error) {
	b, _, err := v.ReadRegBytes(reg, 2)
	if err != nil {
		return 0, err
	}
	return order.Uint16(b), nil
}

func (v *I2C) writeU16(reg byte, order binary.ByteOrder, value uint16) error {
	b := []byte{reg, 0, 0}
	order.PutUint16(b[1:], value)
	_, err := v.WriteBytes(b)
	return err
}

// ReadRegU16BE reads an unsigned word, its high byte first.
func (v *I2C) ReadRegU16BE(reg byte) (uint16, error) { return v.readU16(reg, binary.BigEndian) }

// ReadRegU16LE reads an unsigned word, its low byte first.
func (v *I2C) ReadRegU16LE(reg byte) (uint16, error) { return v.readU16(reg, binary.LittleEndian) }

// ReadRegS16BE reads a signed word, its high byte first.
func (v *I2C) ReadRegS16BE(reg byte) (int16, error) {
	w, err := v.readU16(reg, binary.BigEndian)
	return int16(w), err
}

// ReadRegS16LE reads a signed word, its low byte first.
func (v *I2C) ReadRegS16LE(reg byte) (int16, error) {
	w, err := v.readU16(reg, binary.LittleEndian)
	return int16(w), err
}

// WriteRegU16BE writes an unsigned word, its high byte first.
func (v *I2C) WriteRegU16BE(reg byte, value uint16) error {
	return v.writeU16(reg, binary.BigEndian, value)
}

// WriteRegU16LE writes an unsigned word, its low byte first.
func (v *I2C) WriteRegU16LE(reg byte, value uint16) error {
	return v.writeU16(reg, binary.LittleEndian, value)
}

// WriteRegS16BE writes a signed word, its high byte first.
func (v *I2C) WriteRegS16BE(reg byte, value int16) error {
	return v.writeU16(reg, binary.BigEndian, uint16(value))
}

// WriteRegS16LE writes a signed word, its low byte first.
func (v *I2C) WriteRegS16LE(reg byte, value int16) error {
	return v.writeU16(reg, binary.LittleEndian, uint16(value))
}
