package virtio

// Layouts are independent of how a driver cuts a buffer into descriptors
// (section 2.7.4), so devices look at a chain as two runs of bytes.

// ReadLen is how many bytes the device may read.
func (c *Chain) ReadLen() int { return length(c.Readable) }

// WriteLen is how many bytes the device may write.
func (c *Chain) WriteLen() int { return length(c.Writable) }

// CopyOut copies the readable bytes from offset on into p, and returns how many there were.
func (c *Chain) CopyOut(p []byte, offset int) int {
	n := 0
	for _, part := range c.Readable {
		if offset >= len(part) {
			offset -= len(part)
			continue
		}
		n += copy(p[n:], part[offset:])
		offset = 0
	}
	return n
}

// CopyIn copies p over the writable bytes from offset on, and returns how many fitted.
func (c *Chain) CopyIn(offset int, p []byte) int {
	n := 0
	for _, part := range c.Writable {
		if offset >= len(part) {
			offset -= len(part)
			continue
		}
		n += copy(part[offset:], p[n:])
		offset = 0
	}
	return n
}

func length(parts [][]byte) int {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	return n
}
