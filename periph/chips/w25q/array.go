package w25q

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"

	"backplane/simbus/hostfile"
)

// array is the cells of a flash: sectors, of which the erased ones take no memory. Its
// file is written in place, by as much as one instruction has changed.
type array struct {
	size     int
	sectors  [][]byte
	file     *os.File
	from, to int // what has changed and is not in the file
}

func newArray(size int) *array {
	return &array{size: size, sectors: make([][]byte, size/sectorSize)}
}

// open takes the contents of a file, which is made if it is missing.
func (a *array) open(path string) error {
	f, b, err := hostfile.Keep(path, a.size, 0xff)
	if err != nil {
		return err
	}
	a.file = f
	erased := bytes.Repeat([]byte{0xff}, sectorSize)
	for i := range a.sectors {
		if s := b[i*sectorSize : (i+1)*sectorSize]; !bytes.Equal(s, erased) {
			a.sectors[i] = bytes.Clone(s)
		}
	}
	return nil
}

// at is the byte of an address.
func (a *array) at(address int) byte {
	if s := a.sectors[address/sectorSize]; s != nil {
		return s[address%sectorSize]
	}
	return 0xff
}

// read copies from an address on, and begins anew at the end.
func (a *array) read(p []byte, address int) {
	for len(p) > 0 {
		at := address % sectorSize
		n := min(len(p), sectorSize-at)
		if s := a.sectors[address/sectorSize]; s != nil {
			copy(p[:n], s[at:])
		} else {
			for i := range p[:n] {
				p[i] = 0xff
			}
		}
		p, address = p[n:], (address+n)%a.size
	}
}

// put sets the byte of an address.
func (a *array) put(address int, v byte) {
	s := a.sectors[address/sectorSize]
	if s == nil {
		if v == 0xff {
			return
		}
		s = bytes.Repeat([]byte{0xff}, sectorSize)
		a.sectors[address/sectorSize] = s
	}
	s[address%sectorSize] = v
	a.changed(address, 1)
}

// erase makes sectors all ones.
func (a *array) erase(from, n int) {
	for i := from / sectorSize; i < (from+n)/sectorSize; i++ {
		if a.sectors[i] != nil {
			a.sectors[i] = nil
			a.changed(i*sectorSize, sectorSize)
		}
	}
}

// scramble makes sectors what cells hold whose erase has ended too early: nobody knows.
func (a *array) scramble(from, n int, chance *rand.Rand) {
	for address := from; address < from+n; address++ {
		a.put(address, byte(chance.Uint32()))
	}
}

func (a *array) changed(from, n int) {
	if a.from == a.to {
		a.from, a.to = from, from+n
	}
	a.from, a.to = min(a.from, from), max(a.to, from+n)
}

// save writes to the file what has changed, and again what could not be written before.
func (a *array) save() error {
	if a.file == nil || a.from == a.to {
		a.from, a.to = 0, 0
		return nil
	}
	b := make([]byte, a.to-a.from)
	a.read(b, a.from)
	if _, err := a.file.WriteAt(b, int64(a.from)); err != nil {
		return err
	}
	a.from, a.to = 0, 0
	return nil
}

// close saves what is left.
func (a *array) close() error {
	err := a.save()
	if a.file != nil {
		err = errors.Join(err, a.file.Close())
		a.file = nil
	}
	return err
}
