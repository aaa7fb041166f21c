package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// medium is a disk.
type medium interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
}

// ledger keeps numbered entries on a disk, one in each of its blocks. A block is written
// whole or not at all, and its checksum tells an entry from what never was one.
type ledger struct {
	disk   medium
	blocks uint64
	last   uint64 // entry
}

const (
	blockSize   = 4096
	entryNumber = 0
	entrySum    = blockSize - 4
)

// openLedger finds the last entry before which none is missing, and drops those after a gap.
func openLedger(disk medium, size int64) (*ledger, error) {
	l := &ledger{disk: disk, blocks: uint64(size / blockSize)}
	block := make([]byte, blockSize)
	for at := range l.blocks {
		if _, err := disk.ReadAt(block, int64(at*blockSize)); err != nil {
			return nil, err
		}
		switch n, ok := entry(block); {
		case !ok || n != at+1:
		case at == l.last:
			l.last = n
		default:
			if _, err := disk.WriteAt(make([]byte, blockSize), int64(at*blockSize)); err != nil {
				return nil, err
			}
		}
	}
	return l, disk.Sync()
}

// add commits an entry: when it returns, the entry is on the disk.
func (l *ledger) add() error {
	if l.last == l.blocks {
		return errors.New("the disk is full")
	}
	block := make([]byte, blockSize)
	binary.LittleEndian.PutUint64(block[entryNumber:], l.last+1)
	for i := 8; i < entrySum; i++ {
		block[i] = byte(l.last)
	}
	binary.LittleEndian.PutUint32(block[entrySum:], crc32.ChecksumIEEE(block[:entrySum]))
	if _, err := l.disk.WriteAt(block, int64(l.last*blockSize)); err != nil {
		return err
	}
	if err := l.disk.Sync(); err != nil {
		return err
	}
	l.last++
	return nil
}

// entry is the number of a block's entry, if it has one.
func entry(block []byte) (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(block[entryNumber:])
	return n, n > 0 && crc32.ChecksumIEEE(block[:entrySum]) == binary.LittleEndian.Uint32(block[entrySum:])
}
