package image

import (
	"errors"
	"io"
	"os"
	"testing"
)

// fixed is a file in memory that has an end.
type fixed struct{ crashFile }

func (f *fixed) readv(parts [][]byte, off int64) error {
	if n := int64(length(parts)); off < 0 || off > int64(len(f.now)) || n > int64(len(f.now))-off {
		return io.ErrUnexpectedEOF
	}
	return f.crashFile.readv(parts, off)
}

func noFile(string) (*os.File, error) { return nil, errors.New("there is no file") }

// readAll reads some of all that an image has.
func readAll(t *testing.T, s Source) {
	b := make([]byte, 8192)
	for _, off := range []int64{0, 512, s.Size() / 1024 * 512, max(0, s.Size()-8192)} {
		_ = s.ReadV([][]byte{b[:min(8192, s.Size()-off)]}, off)
	}
}

// FuzzOverlay reads overlays, good ones and others.
func FuzzOverlay(f *testing.F) {
	for _, h := range []header{{disk: 3 * BlockSize}, {disk: 512, base: base{name: "x", size: 512}}} {
		c := newCrashFile(h.fileSize(), nil)
		if err := errors.Join(h.put(c), h.put(c)); err != nil {
			f.Fatal(err)
		}
		f.Add(c.now)
		c.now[bitmapStart] = 5
		f.Add(c.now)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := &fixed{crashFile{now: data, stop: -1}}
		if o, _, err := loadOverlay("o", file, noFile, maxDepth); err == nil {
			readAll(t, o)
		}
	})
}

// FuzzHeader takes headers whose checksum is right.
func FuzzHeader(f *testing.F) {
	f.Add(int64(BlockSize), "base", int64(512), int64(1))
	f.Fuzz(func(t *testing.T, disk int64, name string, size, modified int64) {
		h := &header{disk: disk, base: base{name: name, size: size, modified: modified}}
		b, err := h.encode()
		if err != nil {
			return
		}
		switch got, err := decodeHeader(b); {
		case (err == nil) != (CheckSize(disk) == nil):
			t.Fatalf("a disk of %d bytes: %v", disk, err)
		case err == nil && *got != *h:
			t.Fatalf("%+v became %+v", h, got)
		}
	})
}

// FuzzQCOW2 reads qcow2 files.
func FuzzQCOW2(f *testing.F) {
	small := make([]byte, 3*512)
	copy(small, qcowMagic+"\x00\x00\x00\x03")
	small[qcowClusterBits+3], small[qcowSize+6], small[qcowL1Size+3], small[qcowL1Table+6] = 9, 4, 1, 2
	small[512+6], small[512] = 4, 0x80
	small[1024+6] = 2
	f.Add(small)
	over := append(make([]byte, 0, 4*512), small...) // of a disk below, which is named behind the header
	over[qcowBacking+7], over[qcowBackingSize+3], over[qcowLength+3] = 200, 4, qcowHeaderSize
	copy(over[qcowHeaderSize:], "\xe2\x79\x2a\xca\x00\x00\x00\x03raw")
	copy(over[200:], "base")
	if q, err := openQCOW2(&fixed{crashFile{now: over, stop: -1}}, int64(len(over))); err != nil || q.backing != (backing{"base", FormatRaw}) {
		f.Fatalf("the seed with a backing file is none: %v", err)
	}
	f.Add(over)
	f.Fuzz(func(t *testing.T, data []byte) {
		if q, err := openQCOW2(&fixed{crashFile{now: data, stop: -1}}, int64(len(data))); err == nil {
			if q.backing.name != "" {
				q.below = &raw{&fixed{crashFile{now: data, stop: -1}}, int64(len(data)) / SectorSize * SectorSize}
			}
			readAll(t, q)
		}
	})
}
