package virtio

import (
	"fmt"
	"runtime/debug"
	"unsafe"
)

// Region is a stretch of guest memory that is mapped here.
type Region struct {
	Guest uint64 // guest-physical address of its first byte
	User  uint64 // the same byte in the address space of the front end
	Data  []byte
}

// Memory is the guest memory that a device may touch. The zero value has none.
type Memory struct {
	Regions []Region
}

// Guest is the memory at a guest-physical address, as descriptors give it.
func (m *Memory) Guest(addr, length uint64) ([]byte, error) {
	for i := range m.Regions {
		r := &m.Regions[i]
		if b, ok := within(r.Data, addr, r.Guest, length); ok {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %d bytes at guest address %#x are not in its memory", ErrBroken, length, addr)
}

// User is the memory at an address of the front end, as it gives the rings'.
func (m *Memory) User(addr, length uint64) ([]byte, error) {
	for i := range m.Regions {
		r := &m.Regions[i]
		if b, ok := within(r.Data, addr, r.User, length); ok {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %d bytes at user address %#x are not in its memory", ErrBroken, length, addr)
}

// Maps tells whether an address of this program lies in the memory.
func (m *Memory) Maps(addr uintptr) bool {
	for i := range m.Regions {
		if b := m.Regions[i].Data; len(b) > 0 {
			if base := uintptr(unsafe.Pointer(&b[0])); addr >= base && addr-base < uintptr(len(b)) {
				return true
			}
		}
	}
	return false
}

// within is the part of data, which begins at base, from addr on, without overflow.
func within(data []byte, addr, base, length uint64) ([]byte, bool) {
	size := uint64(len(data))
	if addr < base || addr-base > size || length > size-(addr-base) {
		return nil, false
	}
	off := addr - base
	return data[off : off+length : off+length], true
}

// Guard runs f, which may touch guest memory. A guest can cut its memory file
// short, and a look at what is missing is then a fault, which must be the
// guest's mistake and not the end of this program.
func Guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // a fault, as SetPanicOnFault makes it
			err = fmt.Errorf("%w: its memory at %#x has gone", ErrBroken, r.Addr())
		default:
			panic(r)
		}
	}()
	return f()
}
