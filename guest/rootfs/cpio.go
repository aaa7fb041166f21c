package rootfs

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// cpioMagic is how each entry of an archive begins, cpioSums with checksums, which the
// kernel does not look at either.
const (
	cpioMagic  = "070701"
	cpioSums   = "070702"
	cpioHeader = 110 // bytes
	trailer    = "TRAILER!!!"
)

func isCPIO(head []byte) bool { return string(head) == cpioMagic || string(head) == cpioSums }

// cpio adds an archive, or several one after the other, as a kernel takes them.
func (p *Packer) cpio(r *bufio.Reader) error {
	c := &cpioReader{r: r, files: make(map[[3]uint32]*node)}
	for {
		e, err := c.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = p.cpioEntry(c, e)
		}
		if err != nil {
			return fmt.Errorf("cpio archive, at byte %d: %w", c.at, err)
		}
	}
}

func (p *Packer) cpioEntry(c *cpioReader, e *entry) error {
	id, linked, data := c.id, e.nlink > 1 && e.mode&typeMask == typeFile, io.LimitReader(c, e.size)
	e.name, e.nlink = clean(e.name), 0
	if kind := e.mode & typeMask; kind != typeFile && kind != typeSymlink {
		e.size = 0 // the kernel passes over a folder or device with data
	}
	switch to := c.files[id]; {
	case e.name == "":
		return nil
	case linked && to != nil:
		return p.link(e, to, data)
	case linked:
		e.nlink = 2
		n, err := p.add(e, data, changeFolders)
		c.files[id] = n
		return err
	}
	_, err := p.add(e, data, changeFolders)
	return err
}

// cpioReader reads the entries of archives.
type cpioReader struct {
	r     *bufio.Reader
	at    int64               // how much was read
	end   int64               // of the data of the entry that was read last
	id    [3]uint32           // of that entry: device and inode
	files map[[3]uint32]*node // with several names
}

func (c *cpioReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.at += int64(n)
	return n, err
}

// skip reads on to a place.
func (c *cpioReader) skip(to int64) error {
	_, err := io.CopyN(io.Discard, c, to-c.at)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func aligned(n int64) int64 { return (n + 3) &^ 3 }

// next reads an entry's header; the data follow.
func (c *cpioReader) next() (*entry, error) {
	if err := c.skip(aligned(c.end)); err != nil {
		return nil, err
	}
	for {
		e, err := c.header()
		if err != nil || e.name != trailer {
			return e, err
		}
		clear(c.files)
		if err := c.gap(); err != nil {
			return nil, err
		}
	}
}

// gap reads over what fills up an archive's last block.
func (c *cpioReader) gap() error {
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return c.r.UnreadByte()
		}
		c.at++
	}
}

func (c *cpioReader) header() (*entry, error) {
	var head [cpioHeader]byte
	switch n, err := io.ReadFull(c, head[:]); {
	case err == io.EOF:
		return nil, errors.New("it ends without its trailer")
	case err != nil:
		return nil, err
	case n < len(head) || !isCPIO(head[:len(cpioMagic)]):
		return nil, errors.New("no entry of a cpio archive (newc) follows")
	}
	var field [13]uint32
	for i := range field {
		var b [4]byte
		if _, err := hex.Decode(b[:], head[len(cpioMagic)+8*i:][:8]); err != nil {
			return nil, fmt.Errorf("a header with an invalid number: %w", err)
		}
		field[i] = uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	}
	e := &entry{mode: field[1], uid: field[2], gid: field[3], nlink: field[4], mtime: time.Unix(int64(field[5]), 0),
		size: int64(field[6]), major: field[9], minor: field[10]}
	c.id = [3]uint32{field[7], field[8], field[0]}
	length := int64(field[11])
	if length < 1 || length > maxName+1 {
		return nil, fmt.Errorf("a name of %d bytes", length)
	}
	name := make([]byte, length)
	start := c.at - cpioHeader
	if _, err := io.ReadFull(c, name); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	e.name = strings.TrimRight(string(name), "\x00")
	if err := c.skip(start + aligned(cpioHeader+length)); err != nil {
		return nil, err
	}
	c.end = c.at + e.size
	return e, nil
}
