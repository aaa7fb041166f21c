package volume

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"unicode/utf16"
)

// disk is one of 1000 sectors, with a boot record of those entries: number, type, start, sectors.
func disk(entries ...[4]uint32) []byte {
	b := make([]byte, 1000*SectorSize)
	record(b, entries...)
	return b
}

func record(b []byte, entries ...[4]uint32) {
	b[510], b[511] = 0x55, 0xaa
	for _, e := range entries {
		at := b[446+16*(e[0]-1):]
		at[4] = byte(e[1])
		binary.LittleEndian.PutUint32(at[8:], e[2])
		binary.LittleEndian.PutUint32(at[12:], e[3])
	}
}

// guid is a disk with a GPT, of which change may change the header and the entries.
func guid(change func(header, entries []byte)) []byte {
	b := disk([4]uint32{1, 0xee, 1, 999})
	le, header, entries := binary.LittleEndian, b[512:], b[1024:1024+4*128]
	copy(header, "EFI PART")
	le.PutUint32(header[12:], 92)
	le.PutUint64(header[72:], 2)
	le.PutUint32(header[80:], 4)
	le.PutUint32(header[84:], 128)
	for i, e := range []struct {
		first, last uint64
		name        string
	}{{100, 199, "boot"}, {}, {200, 899, "root"}} {
		if e.last == 0 {
			continue
		}
		at := entries[i*128:]
		at[0] = 1
		le.PutUint64(at[32:], e.first)
		le.PutUint64(at[40:], e.last)
		for j, u := range utf16.Encode([]rune(e.name)) {
			le.PutUint16(at[56+2*j:], u)
		}
	}
	if change != nil {
		change(header, entries)
	}
	le.PutUint32(header[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(header[16:], 0)
	le.PutUint32(header[16:], crc32.ChecksumIEEE(header[:92]))
	return b
}

func TestReadTable(t *testing.T) {
	logical := disk([4]uint32{1, 0x83, 10, 10}, [4]uint32{3, 5, 100, 500})
	record(logical[100*SectorSize:], [4]uint32{1, 0x83, 1, 50}, [4]uint32{2, 5, 60, 100})
	record(logical[160*SectorSize:], [4]uint32{1, 0x83, 2, 20})
	circle := disk([4]uint32{1, 5, 100, 500})
	record(circle[100*SectorSize:], [4]uint32{2, 5, 0, 100}, [4]uint32{1, 0x83, 1, 1})
	record(circle[100*SectorSize:], [4]uint32{2, 5, 1, 100})
	record(circle[101*SectorSize:], [4]uint32{2, 5, 1, 100})
	squash := disk([4]uint32{1, 0x83, 10, 10})
	copy(squash, "hsqs")
	code := disk([4]uint32{1, 0x83, 10, 10})
	code[446] = 0x12
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":              {make([]byte, 4096), "none"},
		"too short":            {make([]byte, 100), "none"},
		"no entries":           {disk(), "none"},
		"a file system":        {squash, "none"},
		"code":                 {code, "none"},
		"primary":              {disk([4]uint32{2, 0x83, 10, 20}, [4]uint32{4, 0xc, 30, 970}), "MBR 2:10+20 4:30+970"},
		"logical":              {logical, "MBR 1:10+10 3:100+500 5:101+50 6:162+20"},
		"a circle":             {circle, "more than 100 logical partitions"},
		"beyond the disk":      {disk([4]uint32{1, 0x83, 10, 991}), "partition 1 ends beyond the disk"},
		"GPT":                  {guid(nil), "GPT 1:100+100(boot) 3:200+700(root)"},
		"GPT without a header": {disk([4]uint32{1, 0xee, 1, 999}), "it has no header"},
		"GPT beyond the disk":  {guid(func(_, e []byte) { binary.LittleEndian.PutUint64(e[40:], 1000) }), "partition 1 ends beyond the disk"},
		"GPT backwards":        {guid(func(_, e []byte) { binary.LittleEndian.PutUint64(e[40:], 99) }), "partition 1 ends before it begins"},
		"GPT with odd entries": {guid(func(h, _ []byte) { binary.LittleEndian.PutUint32(h[84:], 64) }), "4 entries of 64 bytes"},
		"GPT of many entries":  {guid(func(h, _ []byte) { binary.LittleEndian.PutUint32(h[80:], 1<<31) }), "entries of 128 bytes"},
		"GPT with the wrong sum": {func() []byte {
			b := guid(nil)
			b[1024+33]++
			return b
		}(), "its entries have another checksum"},
		"GPT with a wrong header": {func() []byte {
			b := guid(nil)
			b[512+24]++
			return b
		}(), "its header has another checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := ReadTable(bytes.NewReader(c.b), int64(len(c.b)))
			if got := text(table, err); !strings.Contains(got, c.want) || err == nil && got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func text(t *Table, err error) string {
	if err != nil {
		return err.Error()
	}
	if t == nil {
		return "none"
	}
	s := t.Kind
	for _, p := range t.Partitions {
		s += fmt.Sprintf(" %d:%d+%d", p.Number, p.Start/SectorSize, p.Size/SectorSize)
		if p.Name != "" {
			s += "(" + p.Name + ")"
		}
	}
	return s
}

func TestIdentify(t *testing.T) {
	for _, m := range magics {
		b := make([]byte, 128<<10)
		copy(b[m.at:], m.bytes)
		if m.is.Name == "squashfs" {
			b[20], m.is.Compression = 4, "xz"
		}
		if got, err := Identify(bytes.NewReader(b), int64(len(b))); err != nil || got == nil || *got != m.is {
			t.Errorf("%q at %d is %v, %v", m.bytes, m.at, got, err)
		}
		if got, err := Identify(bytes.NewReader(b), m.at+1); err != nil || got != nil {
			t.Errorf("%q beyond the end is %v, %v", m.bytes, got, err)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add(guid(nil)[:2048])
	f.Add(disk([4]uint32{1, 0x83, 10, 10}, [4]uint32{3, 5, 1, 3})[:2048])
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := ReadTable(bytes.NewReader(b), int64(len(b)))
		if err != nil || table == nil {
			return
		}
		for _, p := range table.Partitions {
			if p.Number < 1 || p.Start < 0 || p.Size < 0 || p.Start+p.Size > int64(len(b)) {
				t.Errorf("partition %+v of a disk of %d bytes", p, len(b))
			}
		}
	})
}
