// Package blocktest makes the requests of a disk's driver, for tests.
package blocktest

import "encoding/binary"

// Types of requests that erase.
const (
	Discard = 11
	Zeroes  = 13
)

func request(kind uint32, sector uint64, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, sector)
	return append(b, data...)
}

// Read reads as much as there is room for.
func Read(sector uint64) []byte { return request(0, sector, nil) }

// Write writes data.
func Write(sector uint64, data []byte) []byte { return request(1, sector, data) }

// Flush flushes.
func Flush() []byte { return request(4, 0, nil) }

// ID asks for the serial number.
func ID() []byte { return request(8, 0, nil) }

// Erase discards n sectors, or makes them zeros.
func Erase(kind uint32, sector uint64, n, flags uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, sector)
	b = binary.LittleEndian.AppendUint32(b, n)
	return request(kind, 0, binary.LittleEndian.AppendUint32(b, flags))
}
