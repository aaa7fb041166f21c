package image

import (
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
func Hash(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h, size := sha256.New(), info.Size()
	b := make([]byte, hashed)
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err == nil && data > at {
			at = data / hashed * hashed
		}
		n, err := f.ReadAt(b[:min(hashed, size-at)], at)
		if err != nil && err != io.EOF {
			return "", err
		}
		if !zeros(b[:n]) {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(at)))
			h.Write(b[:n])
		}
		at += hashed
	}
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(size)))
	return hex.EncodeToString(h.Sum(nil)), nil
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
