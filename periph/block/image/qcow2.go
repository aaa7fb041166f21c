package image

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// The format qcow2 (QEMU docs/interop/qcow2.rst), as far as it is read: versions 2 and 3,
// with clusters that are not encrypted and compressed with zlib if at all.
const (
	qcowMagic = "QFI\xfb"

	qcowVersion      = 4 // offsets of the header's fields
	qcowBacking      = 8
	qcowBackingSize  = 16
	qcowClusterBits  = 20
	qcowSize         = 24
	qcowCrypt        = 32
	qcowL1Size       = 36
	qcowL1Table      = 40
	qcowIncompatible = 72  // from version 3 on
	qcowLength       = 100 // of the header, from version 3 on
	qcowHeaderSize   = 104
	qcowHeaderV2     = 72 // the header's length in version 2
	qcowExtension    = 8  // the length of an extension's own header: type and length
	qcowFormatOf     = 0xe2792aca
	qcowMaxName      = 1023 // of the backing file, in bytes

	qcowDirty      = 1 << 0 // of the incompatible features: reference counts may be wrong, which no reader needs
	qcowOffset     = 0x00fffffffffffe00
	qcowCompressed = 1 << 62
	qcowPacked     = 512 // compressed clusters have whole pieces of so many bytes
	qcowZero       = 1 << 0

	minClusterBits, maxClusterBits = 9, 21 // as QEMU has them
)

// qcow2 is a file of that format.
type qcow2 struct {
	file
	size, length int64 // of the disk, of the file
	bits         uint
	l1           []uint64

	backing backing
	below   Source // what has the clusters that are not in this file; nil: they are zeros

	mu       sync.Mutex
	tables   map[uint64][]uint64 // second-level tables by offset
	unpacked map[uint64][]byte   // clusters that are compressed in the file, by their entry
}

// backing is what a qcow2 file says of the file below it.
type backing struct{ name, format string }

// mostTables and mostUnpacked are how many are kept, each of one cluster.
const (
	mostTables   = 64
	mostUnpacked = 16
)

func openQCOW2(f file, length int64) (*qcow2, error) {
	head := make([]byte, qcowHeaderSize)
	if length < qcowHeaderSize {
		return nil, errors.New("the qcow2 file is too short for its header")
	}
	if err := f.readv([][]byte{head}, 0); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	version := be.Uint32(head[qcowVersion:])
	q := &qcow2{file: f, size: int64(be.Uint64(head[qcowSize:])), length: length, bits: uint(be.Uint32(head[qcowClusterBits:])), tables: make(map[uint64][]uint64), unpacked: make(map[uint64][]byte)}
	switch {
	case string(head[:len(qcowMagic)]) != qcowMagic:
		return nil, errors.New("it does not begin as qcow2 files do")
	case version != 2 && version != 3:
		return nil, fmt.Errorf("qcow2 version %d: this program reads versions 2 and 3", version)
	case be.Uint32(head[qcowCrypt:]) != 0:
		return nil, errors.New("the qcow2 file is encrypted")
	case version == 3 && be.Uint64(head[qcowIncompatible:])&^qcowDirty != 0:
		return nil, fmt.Errorf("the qcow2 file has incompatible features %#x", be.Uint64(head[qcowIncompatible:]))
	case q.bits < minClusterBits || q.bits > maxClusterBits:
		return nil, fmt.Errorf("qcow2 clusters of 2^%d bytes: must be 2^%d to 2^%d", q.bits, minClusterBits, maxClusterBits)
	}
	if err := CheckSize(q.size); err != nil {
		return nil, err
	}
	entries := int64(be.Uint32(head[qcowL1Size:]))
	perL1 := int64(1) << (2*q.bits - 3)
	if need := (q.size + perL1 - 1) / perL1; entries < need || need > 32<<20/8 {
		return nil, fmt.Errorf("a first-level table of %d entries for a qcow2 disk of %d bytes, which needs %d", entries, q.size, need)
	}
	var err error
	if q.l1, err = q.table(be.Uint64(head[qcowL1Table:]), (q.size+perL1-1)/perL1); err != nil {
		return nil, err
	}
	q.backing, err = q.readBacking(head, version)
	return q, err
}

// readBacking reads which file is below this one, and which format that has. A format that is
// not named is not guessed: what a guest has written to a raw image could look like a qcow2
// file that names any file of the host.
func (q *qcow2) readBacking(head []byte, version uint32) (b backing, err error) {
	be := binary.BigEndian
	at, n := be.Uint64(head[qcowBacking:]), be.Uint32(head[qcowBackingSize:])
	if at == 0 {
		return b, nil
	}
	if n == 0 || n > qcowMaxName || at > uint64(q.length) || uint64(n) > uint64(q.length)-at {
		return b, fmt.Errorf("a backing file's name of %d bytes at %#x: must have 1 to %d, within the file", n, at, qcowMaxName)
	}
	name := make([]byte, n)
	if err := q.readv([][]byte{name}, int64(at)); err != nil {
		return b, err
	}
	b.name = strings.TrimPrefix(string(name), "file:")
	if scheme, _, is := strings.Cut(b.name, ":"); is && !strings.Contains(scheme, "/") || strings.ContainsRune(b.name, 0) {
		return b, fmt.Errorf("its backing file is %q: must be the name of a file", b.name)
	}
	extensions := int64(qcowHeaderV2)
	if version == 3 {
		extensions = int64(be.Uint32(head[qcowLength:]))
	}
	if b.format, err = q.formatOf(extensions, min(1<<q.bits, int64(at))); err != nil {
		return b, err
	}
	switch b.format {
	case FormatRaw, FormatQCOW2:
		return b, nil
	case "":
		return b, fmt.Errorf("it does not say which format its backing file %s has, and that is not guessed ('qemu-img rebase -u -b %s -F raw', or -F qcow2, says it)", b.name, b.name)
	}
	return b, fmt.Errorf("its backing file %s has the format %q: must be raw or qcow2", b.name, b.format)
}

// formatOf is the format of the backing file, out of the header's extensions from at on.
func (q *qcow2) formatOf(at, end int64) (string, error) {
	for at >= qcowHeaderV2 && at+qcowExtension <= end {
		var e [qcowExtension]byte
		if err := q.readv([][]byte{e[:]}, at); err != nil {
			return "", err
		}
		kind, n := binary.BigEndian.Uint32(e[:]), int64(binary.BigEndian.Uint32(e[4:]))
		at += qcowExtension
		switch {
		case kind == 0:
			return "", nil
		case n > end-at:
			return "", fmt.Errorf("a qcow2 header extension of %d bytes at %#x, where there is room for %d", n, at, end-at)
		case kind == qcowFormatOf:
			name := make([]byte, min(n, 16))
			err := q.readv([][]byte{name}, at)
			return string(name), err
		}
		at += (n + 7) / 8 * 8
	}
	return "", nil
}

// table reads n entries.
func (q *qcow2) table(at uint64, n int64) ([]uint64, error) {
	if at > uint64(q.length) || uint64(n)*8 > uint64(q.length)-at {
		return nil, fmt.Errorf("a qcow2 table at %#x, beyond the end of the file", at)
	}
	b := make([]byte, n*8)
	if err := q.readv([][]byte{b}, int64(at)); err != nil {
		return nil, err
	}
	t := make([]uint64, n)
	for i := range t {
		t[i] = binary.BigEndian.Uint64(b[i*8:])
	}
	return t, nil
}

func (q *qcow2) Size() int64 { return q.size }

func (q *qcow2) Close() error {
	if q.below == nil {
		return q.close()
	}
	return errors.Join(q.close(), q.below.Close())
}

// ReadV reads cluster by cluster.
func (q *qcow2) ReadV(parts [][]byte, off int64) error {
	cluster := int64(1) << q.bits
	for done, total := int64(0), int64(length(parts)); done < total; {
		n := min(total-done, cluster-(off+done)%cluster)
		entry, err := q.find(off + done)
		if err == nil {
			err = q.readEntry(cut(parts, int(done), int(n)), entry, off+done)
		}
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// readEntry reads within a cluster of that second-level entry.
func (q *qcow2) readEntry(parts [][]byte, entry uint64, off int64) error {
	within := off & (1<<q.bits - 1)
	switch {
	case entry&qcowCompressed != 0:
		data, err := q.unpack(entry)
		if err != nil {
			return err
		}
		for _, p := range parts {
			within += int64(copy(p, data[within:]))
		}
		return nil
	case entry&qcowZero != 0:
		for _, p := range parts {
			clear(p)
		}
		return nil
	case entry&qcowOffset == 0:
		return readBelow(q.below, parts, off)
	}
	return q.readData(parts, int64(entry&qcowOffset)+within)
}

// unpack is a cluster that is compressed: the entry has where, and how many pieces follow
// the first. What the last one has behind the end of the data does not count.
func (q *qcow2) unpack(entry uint64) ([]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if data := q.unpacked[entry]; data != nil {
		return data, nil
	}
	shift := 62 - (q.bits - 8)
	at := int64(entry & (1<<shift - 1))
	n := int64(entry>>shift&(1<<(q.bits-8)-1)+1)*qcowPacked - at%qcowPacked
	if at >= q.length {
		return nil, fmt.Errorf("a compressed qcow2 cluster at %#x, beyond the end of the file", at)
	}
	packed, data := make([]byte, min(n, q.length-at)), make([]byte, 1<<q.bits)
	if err := q.readv([][]byte{packed}, at); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(packed)), data); err != nil {
		return nil, fmt.Errorf("the compressed qcow2 cluster at %#x: %w", at, err)
	}
	if len(q.unpacked) >= mostUnpacked {
		clear(q.unpacked)
	}
	q.unpacked[entry] = data
	return data, nil
}

// readData reads from the file, whose last cluster may be cut short.
func (q *qcow2) readData(parts [][]byte, at int64) error {
	n := length(parts)
	have := int(max(0, min(int64(n), q.length-at)))
	if have > 0 {
		if err := q.readv(cut(parts, 0, have), at); err != nil {
			return err
		}
	}
	for _, p := range cut(parts, have, n-have) {
		clear(p)
	}
	return nil
}

// find is the second-level entry of a byte of the disk; 0 if there is none.
func (q *qcow2) find(off int64) (uint64, error) {
	l2bits := q.bits - 3
	l1 := q.l1[off>>(q.bits+l2bits)] & qcowOffset
	if l1 == 0 {
		return 0, nil
	}
	table, err := q.second(l1)
	if err != nil {
		return 0, err
	}
	return table[off>>q.bits&(1<<l2bits-1)], nil
}

// second is a second-level table.
func (q *qcow2) second(at uint64) ([]uint64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t := q.tables[at]; t != nil {
		return t, nil
	}
	t, err := q.table(at, 1<<(q.bits-3))
	if err != nil {
		return nil, err
	}
	if len(q.tables) >= mostTables {
		clear(q.tables)
	}
	q.tables[at] = t
	return t, nil
}
