package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"time"
)

// The header of an overlay (docs/disks.md): two places, of which the valid one with the
// higher sequence counts, so that one of them is whole at any moment.
const (
	magic         = "BackplaneOverlay"
	formatVersion = 1
	headerSize    = 4096
	headers       = 2
	bitmapStart   = headers * headerSize

	atVersion   = 16
	atFlags     = 20
	atSequence  = 24
	atSize      = 32
	atBlockSize = 40
	atNameLen   = 44
	atBaseSize  = 48
	atBaseTime  = 56
	atName      = 64
	atSum       = headerSize - 4
	maxName     = atSum - atName

	flagCommitting = 1 << 0 // its blocks are being written to its base
)

// BlockSize is what an overlay has or has not of its own, in bytes.
const BlockSize = 4096

// SectorSize is the unit of a disk's size, in bytes.
const SectorSize = 512

// MaxSize is the greatest size of a disk, in bytes: its overlay's bitmap is kept in memory.
const MaxSize = 4 << 40

// base is how an overlay knows the image that it was made over.
type base struct {
	name     string // as it stands there: relative to the overlay's folder, or absolute; empty for none
	size     int64
	modified int64 // nanoseconds since 1970
}

// path is where it is, for an overlay of that name.
func (b *base) path(overlay string) string {
	if filepath.IsAbs(b.name) {
		return b.name
	}
	return filepath.Join(filepath.Dir(overlay), b.name)
}

// differs says in what the image is another one now.
func (b *base) differs(now base) error {
	switch {
	case b.size != now.size:
		return fmt.Errorf("had %d bytes when the overlay was made, and has %d now", b.size, now.size)
	case b.modified != now.modified:
		return fmt.Errorf("was changed at %s, after the overlay was made over it as of %s", clock(now.modified), clock(b.modified))
	}
	return nil
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.000000000") }

// header is the decoded header.
type header struct {
	base
	disk       int64 // bytes
	sequence   uint64
	committing bool
}

func (h *header) encode() ([]byte, error) {
	if len(h.name) > maxName {
		return nil, fmt.Errorf("the image's name has %d bytes; it must have at most %d", len(h.name), maxName)
	}
	b := make([]byte, headerSize)
	copy(b, magic)
	le := binary.LittleEndian
	le.PutUint32(b[atVersion:], formatVersion)
	if h.committing {
		le.PutUint32(b[atFlags:], flagCommitting)
	}
	le.PutUint64(b[atSequence:], h.sequence)
	le.PutUint64(b[atSize:], uint64(h.disk))
	le.PutUint32(b[atBlockSize:], BlockSize)
	le.PutUint32(b[atNameLen:], uint32(len(h.name)))
	le.PutUint64(b[atBaseSize:], uint64(h.base.size))
	le.PutUint64(b[atBaseTime:], uint64(h.modified))
	copy(b[atName:], h.name)
	le.PutUint32(b[atSum:], crc32.Checksum(b[:atSum], castagnoli))
	return b, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errNoHeader says that a file does not begin as overlays do.
var errNoHeader = errors.New("not an overlay")

func decodeHeader(b []byte) (*header, error) {
	le := binary.LittleEndian
	switch {
	case len(b) != headerSize || string(b[:len(magic)]) != magic:
		return nil, errNoHeader
	case le.Uint32(b[atSum:]) != crc32.Checksum(b[:atSum], castagnoli):
		return nil, errors.New("the header's checksum is wrong")
	case le.Uint32(b[atVersion:]) != formatVersion:
		return nil, fmt.Errorf("the format has version %d; this program knows version %d", le.Uint32(b[atVersion:]), formatVersion)
	case le.Uint32(b[atFlags:])&^flagCommitting != 0:
		return nil, fmt.Errorf("the header has unknown flags %#x", le.Uint32(b[atFlags:]))
	case le.Uint32(b[atBlockSize:]) != BlockSize:
		return nil, fmt.Errorf("blocks have %d bytes; this program knows blocks of %d", le.Uint32(b[atBlockSize:]), BlockSize)
	case le.Uint32(b[atNameLen:]) > maxName:
		return nil, fmt.Errorf("the image's name has %d bytes", le.Uint32(b[atNameLen:]))
	}
	h := &header{disk: int64(le.Uint64(b[atSize:])), sequence: le.Uint64(b[atSequence:]), committing: le.Uint32(b[atFlags:])&flagCommitting != 0}
	h.name = string(b[atName : atName+le.Uint32(b[atNameLen:])])
	h.base.size, h.modified = int64(le.Uint64(b[atBaseSize:])), int64(le.Uint64(b[atBaseTime:]))
	if err := CheckSize(h.disk); err != nil {
		return nil, err
	}
	return h, nil
}

// CheckSize says what is wrong with a disk's size.
func CheckSize(n int64) error {
	if n <= 0 || n > MaxSize || n%SectorSize != 0 {
		return fmt.Errorf("a disk of %d bytes: must be a multiple of %d, up to %d", n, SectorSize, int64(MaxSize))
	}
	return nil
}

// headerOf reads both places of an overlay's header, and takes the one that counts.
func headerOf(f file) (best *header, err error) {
	b := make([]byte, headers*headerSize)
	if err := f.readv([][]byte{b}, 0); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errNoHeader
	} else if err != nil {
		return nil, err
	}
	for i := range headers {
		h, e := decodeHeader(b[i*headerSize : (i+1)*headerSize])
		if e == nil && (best == nil || h.sequence > best.sequence) {
			best = h
		}
		if e != nil && (err == nil || errors.Is(err, errNoHeader)) {
			err = e
		}
	}
	if best != nil {
		return best, nil
	}
	return nil, err
}

// isOverlay tells whether the first bytes of a file are an overlay's: one of the headers may
// be torn.
func isOverlay(first []byte) bool {
	for at := 0; at < len(first); at += headerSize {
		if bytes.HasPrefix(first[at:], []byte(magic)) {
			return true
		}
	}
	return false
}

// put writes the header into the place of its sequence, so that the other one stays.
func (h *header) put(f file) error {
	h.sequence++
	b, err := h.encode()
	if err == nil {
		err = f.writev([][]byte{b}, int64(h.sequence%headers)*headerSize)
	}
	if err == nil {
		err = f.sync()
	}
	return err
}

// blocks is how many blocks the disk has.
func (h *header) blocks() int64 { return (h.disk + BlockSize - 1) / BlockSize }

// dataStart is where block 0 is in the file.
func (h *header) dataStart() int64 {
	bitmap := (h.blocks() + 7) / 8
	return bitmapStart + (bitmap+BlockSize-1)/BlockSize*BlockSize
}

// fileSize is the length of the whole file, most of which takes no room.
func (h *header) fileSize() int64 { return h.dataStart() + h.blocks()*BlockSize }
