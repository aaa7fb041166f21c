package w25n

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"

	"backplane/simbus/hostfile"
)

// page is the cells of one: data, and then the spare area.
type page [pageSize]byte

// array is the pages of a flash, of which the erased ones take no memory. Its file is written in place.
type array struct {
	pages   [pages]*page
	sound   [pages]bool // there is nothing to be corrected
	file    *os.File
	unsaved map[int]bool // pages that have changed and are not in the file
}

var erased = page(bytes.Repeat([]byte{0xff}, pageSize))

// open takes the contents of a file, which is made if it is missing.
func (a *array) open(path string) error {
	f, err := hostfile.KeepFile(path, pages*pageSize, 0xff)
	if err != nil {
		return err
	}
	a.file, a.unsaved = f, make(map[int]bool)
	b := make([]byte, blockPages*pageSize)
	for i := range a.pages {
		at := i % blockPages * pageSize
		if at == 0 {
			if _, err := f.ReadAt(b, int64(i)*pageSize); err != nil {
				return errors.Join(err, a.close())
			}
		}
		if p := page(b[at:]); p != erased {
			a.pages[i] = &p
		}
	}
	return nil
}

func (a *array) empty() bool {
	return !slices.ContainsFunc(a.pages[:], func(p *page) bool { return p != nil })
}

// read is what a page has.
func (a *array) read(number int) page {
	if p := a.pages[number]; p != nil {
		return *p
	}
	return erased
}

// put has a page be something else.
func (a *array) put(number int, p page) {
	if a.pages[number] == nil && p == erased {
		return
	}
	a.sound[number] = false
	if a.pages[number] = &p; p == erased {
		a.pages[number] = nil
	}
	if a.file != nil {
		a.unsaved[number] = true
		_ = a.save() // or later
	}
}

// save writes to the file what has changed, and again what could not be written before.
func (a *array) save() error {
	for number := range a.unsaved {
		p := a.read(number)
		if _, err := a.file.WriteAt(p[:], int64(number)*pageSize); err != nil {
			return err
		}
		delete(a.unsaved, number)
	}
	return nil
}

// spoil makes some blocks bad; the first one never is.
func (a *array) spoil(n int, chance *rand.Rand) {
	for _, block := range chance.Perm(blocks - 1)[:n] {
		a.put((block+1)*blockPages, mark)
	}
}

// mark is what the first page of a bad block has from the factory. It stays, since nothing of such a block can be changed.
var mark = func() page {
	p := erased
	p[0], p[dataSize] = 0, 0
	return p
}()

// bad tells whether a block has the mark.
func (a *array) bad(block int) bool {
	p := a.pages[block*blockPages]
	return p != nil && *p == mark
}

// close saves what is left, and ends the use of the file.
func (a *array) close() error {
	if a.file == nil {
		return nil
	}
	err := errors.Join(a.save(), a.file.Close())
	a.file = nil
	return err
}
