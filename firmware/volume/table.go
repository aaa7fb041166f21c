package volume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
)

// SectorSize is what partition tables count in, in bytes.
const SectorSize = 512

// Kinds of tables.
const (
	MBR = "MBR"
	GPT = "GPT"
)

// Table is a partition table.
type Table struct {
	Kind       string
	Partitions []Partition // in the order of their numbers
}

// Partition is one entry of a table.
type Partition struct {
	Number      int // /dev/vda2 has 2
	Start, Size int64
	Name        string // of a GPT, if it has one
}

// Partition is the one of that number, false if there is none.
func (t *Table) Partition(number int) (Partition, bool) {
	for _, p := range t.Partitions {
		if p.Number == number {
			return p, true
		}
	}
	return Partition{}, false
}

// A master boot record: four entries of 16 bytes, and a signature.
const (
	mbrEntries   = 446
	mbrEntrySize = 16
	mbrPrimary   = 4
	mbrSignature = 510
	protective   = 0xee // the type of the entry that stands for a GPT
	maxLogical   = 100  // as many does Linux follow
)

// ReadTable reads the table of a disk of that size; it is nil if there is none.
func ReadTable(r io.ReaderAt, size int64) (*Table, error) {
	first, err := read(r, 0, SectorSize)
	if err != nil || first == nil || !signed(first) {
		return nil, err
	}
	entries := mbrTable(first)
	for _, e := range entries {
		if e.kind == protective {
			return readGPT(r, size)
		}
	}
	t := &Table{Kind: MBR}
	for _, e := range entries {
		if e.active != 0 && e.active != 0x80 { // code of a boot sector, not a table
			return nil, nil
		}
	}
	logical := mbrPrimary + 1
	for i, e := range entries {
		if e.sectors == 0 {
			continue
		}
		p, err := partition(i+1, e.start, e.sectors, size)
		if err != nil {
			return nil, err
		}
		t.Partitions = append(t.Partitions, p)
		if e.extended() {
			if err := t.logical(r, size, e.start, &logical); err != nil {
				return nil, err
			}
		}
	}
	if len(t.Partitions) == 0 {
		return nil, nil
	}
	return t, nil
}

// signed tells whether a sector is a boot record, and not the first sector of a file system.
func signed(b []byte) bool {
	if b[mbrSignature] != 0x55 || b[mbrSignature+1] != 0xaa {
		return false
	}
	kind, _ := identify(bytes.NewReader(b), int64(len(b)))
	return kind == nil
}

// mbrEntry is one of the four of a boot record.
type mbrEntry struct {
	active, kind   byte
	start, sectors uint64
}

func (e mbrEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

func mbrTable(b []byte) (list [mbrPrimary]mbrEntry) {
	for i := range list {
		e := b[mbrEntries+i*mbrEntrySize:]
		list[i] = mbrEntry{e[0], e[4], uint64(binary.LittleEndian.Uint32(e[8:])), uint64(binary.LittleEndian.Uint32(e[12:]))}
	}
	return list
}

// logical adds the partitions within an extended one: a chain of boot records, each with one
// of them and the place of the next, counted from the first.
func (t *Table) logical(r io.ReaderAt, size int64, first uint64, number *int) error {
	at := first
	for range maxLogical {
		b, err := read(r, int64(at)*SectorSize, SectorSize)
		if err != nil {
			return err
		}
		if b == nil || b[mbrSignature] != 0x55 || b[mbrSignature+1] != 0xaa {
			return nil
		}
		next := uint64(0)
		for _, e := range mbrTable(b) {
			switch {
			case e.sectors == 0:
			case e.extended():
				next = first + e.start
			default:
				p, err := partition(*number, at+e.start, e.sectors, size)
				if err != nil {
					return err
				}
				t.Partitions = append(t.Partitions, p)
				*number++
			}
		}
		if next == 0 {
			return nil
		}
		at = next
	}
	return fmt.Errorf("its partition table has more than %d logical partitions", maxLogical)
}

// partition is one whose place lies on the disk.
func partition(number int, start, sectors uint64, size int64) (Partition, error) {
	all := uint64(size) / SectorSize
	if start > all || sectors > all-start {
		return Partition{}, fmt.Errorf("its partition %d ends beyond the disk: it has %d sectors from %d on, the disk %d", number, sectors, start, all)
	}
	return Partition{Number: number, Start: int64(start) * SectorSize, Size: int64(sectors) * SectorSize}, nil
}

// A GUID partition table (UEFI 2.10 section 5.3).
const (
	gptSignature    = "EFI PART"
	gptHeaderSize   = 92
	gptEntrySize    = 128
	gptMaxEntries   = 1024
	gptMaxEntrySize = 4096
	gptNameAt       = 56 // in an entry; UTF-16
	gptNameUnits    = 36
)

var errGPT = errors.New("its GPT is damaged")

// readGPT reads the table at the disk's beginning.
func readGPT(r io.ReaderAt, size int64) (*Table, error) {
	head, err := read(r, SectorSize, SectorSize)
	if err != nil {
		return nil, err
	}
	if head == nil || string(head[:len(gptSignature)]) != gptSignature {
		return nil, fmt.Errorf("%w: it has no header", errGPT)
	}
	le := binary.LittleEndian
	if length := le.Uint32(head[12:]); length < gptHeaderSize || length > SectorSize || checksum(head[:length], 16) != le.Uint32(head[16:]) {
		return nil, fmt.Errorf("%w: its header has another checksum", errGPT)
	}
	at, count, each := le.Uint64(head[72:]), le.Uint32(head[80:]), le.Uint32(head[84:])
	if count > gptMaxEntries || each < gptEntrySize || each > gptMaxEntrySize || at > uint64(size)/SectorSize {
		return nil, fmt.Errorf("%w: %d entries of %d bytes at sector %d", errGPT, count, each, at)
	}
	entries, err := read(r, int64(at)*SectorSize, int(count*each))
	if err != nil {
		return nil, err
	}
	if entries == nil || checksum(entries, -1) != le.Uint32(head[88:]) {
		return nil, fmt.Errorf("%w: its entries have another checksum", errGPT)
	}
	t := &Table{Kind: GPT}
	for i := range int(count) {
		e := entries[i*int(each):]
		first, last := le.Uint64(e[32:]), le.Uint64(e[40:])
		if bytes.Equal(e[:16], make([]byte, 16)) {
			continue
		}
		if last < first {
			return nil, fmt.Errorf("%w: partition %d ends before it begins", errGPT, i+1)
		}
		p, err := partition(i+1, first, last-first+1, size)
		if err != nil {
			return nil, err
		}
		p.Name = gptName(e[gptNameAt:gptEntrySize])
		t.Partitions = append(t.Partitions, p)
	}
	return t, nil
}

func gptName(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		u := binary.LittleEndian.Uint16(b[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// read reads so many bytes at a place, none if the disk ends before.
func read(r io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := r.ReadAt(b, at)
	if got == n {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil
	}
	return nil, err
}
