package share

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"backplane/periph/virtio"

	"github.com/hugelgupf/p9/p9"
)

// featureTag says that the configuration space has the tag by which the guest mounts the
// folder (Linux include/uapi/linux/virtio_9p.h: VIRTIO_9P_MOUNT_TAG).
const featureTag = 1 << 0

// Share is one folder. It is a [virtio.Device]. Requests are answered at once, one after
// another, so that they take no time of the board's and come in one order.
type Share struct {
	virtio.Plain
	name     string
	writable bool
	root     *os.Root
	queue    *virtio.Queue
	session  *session // nil while no driver is there
}

// New makes a device that shows no folder yet; name is its tag.
func New(name string, writable bool) *Share {
	return &Share{Plain: virtio.NewPlain(name, virtio.ID9P, 1), name: name, writable: writable}
}

// Show gives it its folder, before it has power. It closes it.
func (s *Share) Show(root *os.Root) { s.root = root }

// Close ends it.
func (s *Share) Close() error {
	s.Stop()
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// Features implements [virtio.Device].
func (s *Share) Features() uint64 { return featureTag }

// Config is the tag, and its length before it.
func (s *Share) Config() []byte {
	return append(binary.LittleEndian.AppendUint16(nil, uint16(len(s.name))), s.name...)
}

// Start begins a session: the driver attaches anew.
func (s *Share) Start(_ uint64, queues []*virtio.Queue) error {
	if err := s.Started(queues, 1); err != nil {
		return err
	}
	s.queue, s.session = queues[0], newSession(&export{root: s.root, writable: s.writable})
	return nil
}

// Stop ends the session: files that the guest had open are closed.
func (s *Share) Stop() {
	if s.session != nil {
		s.session.close()
	}
	s.queue, s.session = nil, nil
}

// Kick answers the requests in the queue.
func (s *Share) Kick(int) error {
	if s.queue == nil {
		return nil
	}
	return s.queue.Serve(s.serve)
}

func (s *Share) serve(c *virtio.Chain) (more bool, err error) {
	request, err := gather(c)
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.name, err)
	}
	reply, err := s.session.answer(request)
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.name, err)
	}
	if c.WriteLen() < len(reply) {
		return false, fmt.Errorf("%s: room of %d bytes for an answer of %d", s.name, c.WriteLen(), len(reply))
	}
	n := 0
	for _, part := range c.Writable {
		n += copy(part, reply[n:])
	}
	s.queue.Done(c, n)
	return true, nil
}

// gather is the request in a chain: its first four bytes are its length.
func gather(c *virtio.Chain) ([]byte, error) {
	n := c.ReadLen()
	if n < headerSize || n > maxMessage {
		return nil, fmt.Errorf("request of %d bytes: must be %d to %d", n, headerSize, maxMessage)
	}
	request := make([]byte, 0, n)
	for _, part := range c.Readable {
		request = append(request, part...)
	}
	size := binary.LittleEndian.Uint32(request)
	if size < headerSize || int64(size) > int64(n) {
		return nil, fmt.Errorf("request that says that it has %d bytes, in a buffer of %d", size, n)
	}
	return request[:size], nil
}

const (
	headerSize = 4 + 1 + 2 // size, type, tag
	maxMessage = 1 << 20   // the driver's most is half of it (Linux net/9p/trans_virtio.c)
)

// Types of messages that do not reach the library (Linux include/net/9p/9p.h).
const (
	rlerror      = 7
	tgetlock     = 54
	rgetlock     = 55
	txattrwalk   = 30
	txattrcreate = 32
	tversion     = 100
	tflush       = 108
	rflush       = 109
)

// session is what a driver says from its start to its end.
type session struct {
	to       *io.PipeWriter
	from     *io.PipeReader
	ended    chan struct{}
	writable bool
}

func newSession(e *export) *session {
	t, to := io.Pipe()
	from, r := io.Pipe()
	s := &session{to: to, from: from, ended: make(chan struct{}), writable: e.writable}
	go func() {
		defer close(s.ended)
		_ = p9.NewServer(e).Handle(t, r) // says so in its answers
		r.Close()
	}()
	return s
}

func (s *session) close() {
	s.to.Close()
	s.from.Close()
	<-s.ended
}

var errEnded = errors.New("the server of its folder has ended")

// answer is the reply to a request, whose length has been checked. Requests that would make
// the server wait or keep without limit are answered here.
func (s *session) answer(request []byte) ([]byte, error) {
	tag := request[5:headerSize]
	switch kind := request[4]; {
	case kind == tflush: // nothing is under way
		return message(rflush, tag), nil
	case kind == tgetlock && len(request) >= headerSize+4+1:
		return noLock(request), nil
	case kind == txattrwalk || kind == txattrcreate:
		return failure(tag, notSupported), nil
	case !s.writable && changes[kind]:
		return failure(tag, readOnly), nil
	}
	if _, err := s.to.Write(request); err != nil {
		return nil, errEnded
	}
	reply := make([]byte, headerSize)
	if _, err := io.ReadFull(s.from, reply); err != nil {
		return nil, errEnded
	}
	size := binary.LittleEndian.Uint32(reply)
	if size < headerSize || size > maxReply {
		return nil, fmt.Errorf("answer of %d bytes", size)
	}
	reply = append(reply, make([]byte, size-headerSize)...)
	if _, err := io.ReadFull(s.from, reply[headerSize:]); err != nil {
		return nil, errEnded
	}
	copy(reply[5:], tag) // to what it could not read it answers without one
	return reply, nil
}

// maxReply is more than the library's largest message.
const maxReply = 8 << 20

// message is one of that type, and of what follows the header.
func message(kind byte, tag []byte, body ...byte) []byte {
	m := binary.LittleEndian.AppendUint32(nil, uint32(headerSize+len(body)))
	return append(append(append(m, kind), tag...), body...)
}

func failure(tag []byte, errno uint32) []byte {
	return message(rlerror, tag, binary.LittleEndian.AppendUint32(nil, errno)...)
}

// noLock says that nobody else holds the lock that is asked for: the guest's kernel has
// looked among its own.
func noLock(request []byte) []byte {
	const unlocked = 2
	body := append([]byte{unlocked}, request[headerSize+4+1:]...) // after fid and type: as asked
	return message(rgetlock, request[5:headerSize], body...)
}
