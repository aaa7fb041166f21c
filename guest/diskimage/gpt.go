package diskimage

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"

	"backplane/periph/block/image"
)

// A GPT with one partition (UEFI 2.10 section 5.3): the protective boot record, the table at
// both ends of the disk, and the partition between.
const (
	sector      = 512
	tableBytes  = 128 * 128 // of the entries
	headerBytes = 92
	firstUsable = 2 + tableBytes/sector
	partStart   = 1 << 20 // as all tools align the first
	partEnd     = 1 << 20 // left behind the last
)

// linuxType is "Linux filesystem data", as a GPT has a GUID.
var linuxType = [16]byte{0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4}

// partitionSize is how large the file system is to be, 0 for as large as it has to be.
func (b *build) partitionSize() int64 {
	if b.GPT && b.Size != 0 {
		return max(b.Size-partStart-partEnd, 0)
	}
	return b.Size
}

// partition puts a file system into a partition of a disk.
func (b *build) partition(file string) (string, error) {
	if err := grow(file, b.partitionSize()); err != nil {
		return "", err
	}
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	out, err := os.Create(b.at("disk"))
	if err != nil {
		return "", err
	}
	size := partStart + info.Size() + partEnd
	err = out.Truncate(size)
	if err == nil {
		err = image.Copy(b.ctx, out, partStart, in)
	}
	if err == nil {
		err = b.writeGPT(out, size/sector, info.Size()/sector)
	}
	return out.Name(), errors.Join(err, out.Close(), os.Remove(file))
}

func (b *build) writeGPT(out io.WriterAt, sectors, length int64) error {
	le := binary.LittleEndian
	record := make([]byte, sector)
	record[446+2], record[446+4] = 2, 0xee
	record[446+5], record[446+6], record[446+7] = 0xff, 0xff, 0xff
	le.PutUint32(record[446+8:], 1)
	le.PutUint32(record[446+12:], uint32(min(sectors-1, 1<<32-1)))
	record[510], record[511] = 0x55, 0xaa
	entries := make([]byte, tableBytes)
	id := b.id("partition")
	copy(entries, linuxType[:])
	copy(entries[16:], id[:])
	le.PutUint64(entries[32:], partStart/sector)
	le.PutUint64(entries[40:], uint64(partStart/sector+length-1))
	for i, c := range "root" {
		le.PutUint16(entries[56+2*i:], uint16(c))
	}
	behind := sectors - 1 - tableBytes/sector
	return errors.Join(write(out, record, 0), write(out, b.gptHeader(entries, 1, sectors-1, 2, sectors), 1), write(out, entries, 2),
		write(out, entries, behind), write(out, b.gptHeader(entries, sectors-1, 1, behind, sectors), sectors-1))
}

func write(out io.WriterAt, b []byte, at int64) error {
	_, err := out.WriteAt(b, at*sector)
	return err
}

// gptHeader is the header that stands at a sector, with the other's and its entries' place.
func (b *build) gptHeader(entries []byte, at, other, table, sectors int64) []byte {
	le, h := binary.LittleEndian, make([]byte, sector)
	copy(h, "EFI PART")
	le.PutUint32(h[8:], 1<<16)
	le.PutUint32(h[12:], headerBytes)
	le.PutUint64(h[24:], uint64(at))
	le.PutUint64(h[32:], uint64(other))
	le.PutUint64(h[40:], firstUsable)
	le.PutUint64(h[48:], uint64(sectors-1-firstUsable+1))
	id := b.id("disk")
	copy(h[56:], id[:])
	le.PutUint64(h[72:], uint64(table))
	le.PutUint32(h[80:], tableBytes/128)
	le.PutUint32(h[84:], 128)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerBytes]))
	return h
}
