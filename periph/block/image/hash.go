package image

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// hashed is how many bytes are looked at at once for a hash, at multiples of that.
const hashed = 64 << 10

// Hash is the SHA-256 of what a file has but zeros: of each 64 KiB that are not all zeros
// their offset, as 8 bytes, and they themselves; then of the file's length. It takes no
// time for holes, and is the same wherever they are.
func Hash(ctx context.Context, f *os.File) (string, error) {
	h := sha256.New()
	size, err := eachData(ctx, f, func(at int64, b []byte) error {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(at)))
		h.Write(b)
		return nil
	})
	if err != nil {
		return "", err
	}
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(size)))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Copy copies a file to a place of another, of which nothing is there yet. What is zeros takes no
// room, and where the host can the two share the rest.
func Copy(ctx context.Context, to *os.File, at int64, from *os.File) error {
	if unix.IoctlFileCloneRange(int(to.Fd()), &unix.FileCloneRange{Src_fd: int64(from.Fd()), Dest_offset: uint64(at)}) == nil {
		return nil
	}
	size, err := eachData(ctx, from, func(off int64, b []byte) error {
		_, err := to.WriteAt(b, at+off)
		return err
	})
	if err != nil {
		return err
	}
	info, err := to.Stat()
	if err != nil {
		return err
	}
	return to.Truncate(max(info.Size(), at+size))
}

// eachData calls f with those pieces of 64 KiB that are not all zeros, and where they are.
func eachData(ctx context.Context, from *os.File, f func(at int64, b []byte) error) (size int64, err error) {
	info, err := from.Stat()
	if err != nil {
		return 0, err
	}
	size = info.Size()
	b := make([]byte, hashed)
	for at := int64(0); at < size; {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		data, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err == nil && data > at {
			at = data / hashed * hashed
		}
		n, err := from.ReadAt(b[:min(hashed, size-at)], at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if !zeros(b[:n]) {
			if err := f(at, b[:n]); err != nil {
				return 0, err
			}
		}
		at += hashed
	}
	return size, nil
}

func zeros(b []byte) bool {
	for len(b) >= 8 {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
