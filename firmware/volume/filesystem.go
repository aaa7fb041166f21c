package volume

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// FileSystem is what the first bytes of a disk or partition say that it has.
type FileSystem struct {
	Name     string // as mount(2) takes it
	ReadOnly bool   // it is one that cannot be written to
	// Other is what it is instead of a file system that can be mounted: "a swap area".
	Other string
	// Compression of a squashfs.
	Compression string
}

// magics are where they are, by byte.
var magics = []struct {
	at    int64
	bytes string
	is    FileSystem
}{
	{0x438, "\x53\xef", FileSystem{Name: "ext4"}}, // ext2 and ext3 too, whose driver is ext4's
	{0, "hsqs", FileSystem{Name: "squashfs", ReadOnly: true}},
	{1024, "\xe2\xe1\xf5\xe0", FileSystem{Name: "erofs", ReadOnly: true}},
	{1024, "\x10\x20\xf5\xf2", FileSystem{Name: "f2fs"}},
	{0x10040, "_BHRfS_M", FileSystem{Name: "btrfs"}},
	{0, "XFSB", FileSystem{Name: "xfs"}},
	{0, "\x45\x3d\xcd\x28", FileSystem{Name: "cramfs", ReadOnly: true}},
	{0, "-rom1fs-", FileSystem{Name: "romfs", ReadOnly: true}},
	{0x8001, "CD001", FileSystem{Name: "iso9660", ReadOnly: true}},
	{0x52, "FAT32   ", FileSystem{Name: "vfat"}},
	{0x36, "FAT16   ", FileSystem{Name: "vfat"}},
	{0x36, "FAT12   ", FileSystem{Name: "vfat"}},
	{4086, "SWAPSPACE2", FileSystem{Other: "a swap area"}},
	{0, "LUKS\xba\xbe", FileSystem{Other: "an encrypted volume (LUKS)"}},
	{512, "LABELONE", FileSystem{Other: "a volume of LVM"}},
}

// compressions are those of squashfs, by their numbers (fs/squashfs/squashfs_fs.h).
var compressions = []string{"", "gzip", "lzma", "lzo", "xz", "lz4", "zstd"}

// Identify tells what file system there is, nil if it is none that is known.
func Identify(r io.ReaderAt, size int64) (*FileSystem, error) { return identify(r, size) }

func identify(r io.ReaderAt, size int64) (*FileSystem, error) {
	for _, m := range magics {
		if m.at+int64(len(m.bytes)) > size {
			continue
		}
		b, err := read(r, m.at, len(m.bytes))
		if err != nil {
			return nil, err
		}
		if string(b) != m.bytes {
			continue
		}
		is := m.is
		if is.Name == "squashfs" {
			if b, err := read(r, 20, 2); err == nil && b != nil {
				if c := int(binary.LittleEndian.Uint16(b)); c < len(compressions) {
					is.Compression = compressions[c]
				}
			}
		}
		return &is, nil
	}
	return nil, nil
}

// String is the file system for people.
func (f *FileSystem) String() string {
	switch {
	case f == nil:
		return "no known file system"
	case f.Other != "":
		return f.Other
	case f.Compression != "":
		return f.Name + " (" + f.Compression + ")"
	}
	return f.Name
}

// checksum is the CRC-32 of a part of a GPT, in which the checksum itself counts as zeros:
// it stands at that place, or nowhere if that is negative.
func checksum(b []byte, at int) uint32 {
	if at < 0 {
		return crc32.ChecksumIEEE(b)
	}
	sum := crc32.ChecksumIEEE(b[:at])
	sum = crc32.Update(sum, crc32.IEEETable, make([]byte, 4))
	return crc32.Update(sum, crc32.IEEETable, b[at+4:])
}
