// Package agentproto is what the agent inside a board and the simulator say to
// each other over a byte stream that loses nothing (a console of their own).
//
// Each message is a frame: type (1 byte), channel (4 bytes), length (4 bytes),
// all little-endian, then that many bytes. A channel is one request; the
// simulator numbers them. The agent says Hello when it is ready.
package agentproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type is the type of a frame.
type Type byte

// Frames. Those from the simulator begin with a request's.
const (
	Hello    Type = iota + 1 // agent: it is ready; the payload is its version
	Exec                     // run a program; the payload is an ExecRequest in JSON
	Stdin                    // input of a program; empty: its end
	Stdout                   // agent: output of a program
	Stderr                   // agent: error output of a program
	Exit                     // agent: the program has ended; the payload is an ExitStatus in JSON
	Kill                     // end the program
	Put                      // write a file; the payload is a FileRequest in JSON; Stdin frames follow
	Get                      // read a file; the payload is a FileRequest in JSON; Stdout frames follow
	PowerOff                 // shut down in order
	lastType = PowerOff
)

// Version is what Hello carries.
const Version = "1"

// ExecRequest is what to run.
type ExecRequest struct {
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}

// FileRequest is the file to write or read.
type FileRequest struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode,omitempty"`
}

// ExitStatus is how a request ended: like a shell, 128 + N for a program that
// signal N ended. Error tells why nothing could be run.
type ExitStatus struct {
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
}

// MaxPayload is the longest payload of a frame, in bytes.
const MaxPayload = 64 << 10

const headerSize = 9

// Frame is one message.
type Frame struct {
	Type    Type
	Channel uint32
	Payload []byte
}

// ErrCorrupt is returned for what is no frame: the stream cannot be used any more.
var ErrCorrupt = errors.New("not the agent's protocol")

// Append appends the frame's bytes.
func (f Frame) Append(b []byte) []byte {
	b = append(b, byte(f.Type))
	b = binary.LittleEndian.AppendUint32(b, f.Channel)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Payload)))
	return append(b, f.Payload...)
}

// Read reads one frame.
func Read(r io.Reader) (Frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	f, n, err := parseHeader(h[:])
	if err != nil {
		return Frame{}, err
	}
	f.Payload = make([]byte, n)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

func parseHeader(h []byte) (f Frame, n int, err error) {
	f = Frame{Type: Type(h[0]), Channel: binary.LittleEndian.Uint32(h[1:])}
	length := binary.LittleEndian.Uint32(h[5:])
	if f.Type < Hello || f.Type > lastType || length > MaxPayload {
		return f, 0, fmt.Errorf("%w: type %d, %d bytes", ErrCorrupt, f.Type, length)
	}
	return f, int(length), nil
}

// Decoder cuts a stream that comes in pieces into frames.
type Decoder struct{ pending []byte }

// Feed takes a piece and calls each with every frame that is whole. The
// payload is each's to keep.
func (d *Decoder) Feed(p []byte, each func(Frame)) error {
	d.pending = append(d.pending, p...)
	for len(d.pending) >= headerSize {
		f, n, err := parseHeader(d.pending)
		if err != nil {
			return err
		}
		if len(d.pending) < headerSize+n {
			break
		}
		f.Payload = append([]byte(nil), d.pending[headerSize:headerSize+n]...)
		d.pending = append(d.pending[:0], d.pending[headerSize+n:]...)
		each(f)
	}
	return nil
}
