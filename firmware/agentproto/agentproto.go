// Package agentproto is what the agent inside a board and the simulator say to
// each other over a byte stream that loses nothing (a console of their own).
//
// Each message is a frame: type (1 byte), channel (4 bytes), length (4 bytes),
// all little-endian, then that many bytes. A channel is one request; the
// simulator numbers them. The agent says Hello when it is ready.
//
// Neither end may fill the other's memory, nor hold up other requests. Input is
// sent as long as no more than [Window] bytes of it are with the agent; a Credit
// frame says how many of them have been passed on. A request may bound its output
// in the same way, by its own window; the simulator then sends the Credit frames.
// A program whose output nobody takes, or that takes no input, so stands still by
// itself, and nothing else does.
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
	Credit                   // either: so many bytes have been taken; the payload is a number of 4 bytes
	Resize                   // the size of the program's terminal; the payload is a Size
	Failure                  // agent: what of the board file could not be done, in words; before Hello
	CPUs                     // take CPUs offline and online; the payload is a CPUCount in JSON. Agent, on channel 0: how many are online now
	Plugged                  // controllers have been plugged that the board's file does not have; the payload is a config.Board in JSON, of them alone
	lastType = Plugged
)

// Version is what Hello carries.
const Version = "4"

// Window is how much of a request's input may be with the agent, in bytes.
const Window = 256 << 10

// ExecRequest is what to run.
type ExecRequest struct {
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
	// Window is how many bytes of output may be under way; 0 stands for any number.
	Window int `json:"window,omitempty"`
	// Terminal lets the program run on a terminal of that size. All its output is
	// then Stdout.
	Terminal *Size `json:"terminal,omitempty"`
}

// Size is that of a terminal.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Append appends the size as a Resize frame has it.
func (s Size) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(b, s.Cols), s.Rows)
}

// ParseSize reads a Resize frame's payload.
func ParseSize(p []byte) (Size, error) {
	if len(p) != 4 {
		return Size{}, fmt.Errorf("%w: the size of a terminal in %d bytes", ErrCorrupt, len(p))
	}
	return Size{binary.LittleEndian.Uint16(p), binary.LittleEndian.Uint16(p[2:])}, nil
}

// AppendCredit appends a number of bytes as a Credit frame has it.
func AppendCredit(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

// ParseCredit reads a Credit frame's payload, which may be at most limit.
func ParseCredit(p []byte, limit int) (int, error) {
	if len(p) != 4 || uint64(binary.LittleEndian.Uint32(p)) > uint64(limit) {
		return 0, fmt.Errorf("%w: the credit %x, where at most %d bytes were sent", ErrCorrupt, p, limit)
	}
	return int(binary.LittleEndian.Uint32(p)), nil
}

// FileRequest is the file to write or read.
type FileRequest struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode,omitempty"`
	// Window is that of ExecRequest, for Get.
	Window int `json:"window,omitempty"`
}

// CPUCount is how many CPUs are to be online, or are.
type CPUCount struct {
	Online int `json:"online"`
}

// ExitStatus is how a request ended: like a shell, 128 + N for a program that
// signal N ended. Error tells why nothing could be run.
type ExitStatus struct {
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	Mode   uint32 `json:"mode,omitempty"` // of the file that was read
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
