package rootfs

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// stream is an archive without its compression.
type stream struct {
	*bufio.Reader
	packed bool
	end    func() error // ends the program that unpacks it, and says what went wrong with it
	stop   func()       // it need not go on
}

// perByte is how many bytes of an archive become one of what is packed, at most: an
// empty file of tar's with a long name and extended headers is several blocks, and a
// header of 110 bytes and the name here.
const perByte = 16

// decompress tells by its first bytes how a file is compressed. If limit is not 0, it
// bounds what the archive is good for: a small one may unpack to no end.
func decompress(f io.Reader, limit int64) (*stream, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	head, err := r.Peek(6)
	if err != nil {
		return nil, errors.New("is neither a tar nor a cpio archive: too short")
	}
	s := &stream{packed: true, end: func() error { return nil }, stop: func() {}}
	var from io.Reader
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		if from, err = gzip.NewReader(r); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(head, []byte("BZh")):
		from = bzip2.NewReader(r)
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		from, err = s.program(r, "xz", "-dc")
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		from, err = s.program(r, "zstd", "-dc")
	default:
		s.packed, from = false, r
	}
	if limit > 0 && s.packed {
		from = &bounded{from, perByte * limit}
	}
	s.Reader = bufio.NewReaderSize(from, 1<<16)
	return s, err
}

// program lets another program unpack.
func (s *stream) program(r io.Reader, name string, args ...string) (io.Reader, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = r
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("%w (apt-get install %s)", err, name)
	}
	s.stop = func() { _ = cmd.Process.Kill() }
	s.end = func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	return out, nil
}

// close ends the stream, about which err is known. What follows the archive's end must
// unpack, too: sums are checked there.
func (s *stream) close(err error) error {
	if err == nil && s.packed {
		_, err = io.Copy(io.Discard, s)
	}
	if err != nil {
		s.stop()
		// That the program was stopped is of no interest, that it stopped before is.
		if end := s.end(); end != nil && errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.Join(err, end)
		}
		return err
	}
	return s.end()
}

// bounded reads no more than so many bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("it unpacks to more than the limit: %w", ErrTooLarge)
	}
	return n, err
}
