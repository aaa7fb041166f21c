package can

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Limits of frames.
const (
	MaxID         = 1<<11 - 1 // of the base format
	MaxExtendedID = 1<<29 - 1
	MaxLength     = 8 // bytes of a classic frame
	MaxLengthFD   = 64
)

// Frame is one frame. The zero value is a classic frame with the identifier 0 and no data.
type Frame struct {
	ID       uint32
	Extended bool // the identifier has 29 bits, and not 11
	Remote   bool // it asks for a frame, and has no data
	FD       bool
	Switch   bool // FD: the data phase has a bit rate of its own (bit BRS)
	Passive  bool // FD: its transmitter is error-passive (bit ESI); the node sets it
	Length   int  // in bytes; of a remote frame, what it asks for
	Data     [MaxLengthFD]byte
}

// Check says what is wrong with a frame.
func (f *Frame) Check() error {
	highest, longest := uint32(MaxID), MaxLength
	if f.Extended {
		highest = MaxExtendedID
	}
	if f.FD {
		longest = MaxLengthFD
	}
	switch {
	case f.ID > highest:
		return fmt.Errorf("identifier %#x is above %#x", f.ID, highest)
	case f.Length < 0 || f.Length > longest:
		return fmt.Errorf("length is %d bytes; it must be 0 to %d", f.Length, longest)
	case Padded(f.Length) != f.Length:
		return fmt.Errorf("a frame cannot have %d bytes: the next length is %d", f.Length, Padded(f.Length))
	case f.FD && f.Remote:
		return fmt.Errorf("a CAN FD frame cannot be a remote frame")
	case !f.FD && (f.Switch || f.Passive):
		return fmt.Errorf("a classic frame has no BRS and ESI bits")
	}
	return nil
}

// Payload are the data, which a remote frame has none of.
func (f *Frame) Payload() []byte {
	if f.Remote {
		return nil
	}
	return f.Data[:f.Length]
}

// lengths are what the data length codes above 8 stand for, in an FD frame.
var lengths = [...]int{12, 16, 20, 24, 32, 48, 64}

// Padded is the shortest length of a frame that holds so many bytes, at most [MaxLengthFD].
func Padded(n int) int {
	if n <= MaxLength {
		return n
	}
	for _, length := range lengths {
		if n <= length {
			return length
		}
	}
	return MaxLengthFD
}

// DLC is the data length code.
func (f *Frame) DLC() int {
	if f.Length <= MaxLength {
		return f.Length
	}
	for i, length := range lengths {
		if f.Length <= length {
			return MaxLength + 1 + i
		}
	}
	return MaxLength + len(lengths)
}

// String is the frame as can-utils write it: 123#DEADBEEF, 12345678#R4, 123##1AABB, where the
// digit after ## has BRS as 1 and ESI as 2.
func (f *Frame) String() string {
	id, head := f.Identifier(), "#"
	switch {
	case f.Remote && f.Length == 0:
		return id + "#R"
	case f.Remote:
		return id + "#R" + strconv.Itoa(f.Length)
	case f.FD:
		head = fmt.Sprintf("##%d", f.flags())
	}
	return id + head + strings.ToUpper(hex.EncodeToString(f.Payload()))
}

// Identifier is the identifier as can-utils write it: three digits, or eight if it is extended.
func (f *Frame) Identifier() string {
	if f.Extended {
		return fmt.Sprintf("%08X", f.ID)
	}
	return fmt.Sprintf("%03X", f.ID)
}

// Flags of an FD frame (Linux include/uapi/linux/can.h, struct canfd_frame).
const (
	flagBRS = 1
	flagESI = 2
	flagFDF = 4
)

func (f *Frame) flags() (flags byte) {
	if f.Switch {
		flags |= flagBRS
	}
	if f.Passive {
		flags |= flagESI
	}
	return flags
}

// ParseFrame reads a frame as [Frame.String] writes it.
func ParseFrame(text string) (f Frame, err error) {
	id, rest, ok := strings.Cut(text, "#")
	wrong := func(why string) (Frame, error) {
		return Frame{}, fmt.Errorf("%q is not a CAN frame: %s", text, why)
	}
	if !ok || len(id) != 3 && len(id) != 8 {
		return wrong("write 123#DEADBEEF, with an identifier of 3 digits, or 8 if it is extended")
	}
	n, err := strconv.ParseUint(id, 16, 32)
	if err != nil {
		return wrong("the identifier is not a hexadecimal number")
	}
	f.ID, f.Extended = uint32(n), len(id) == 8
	data, fd := strings.CutPrefix(rest, "#")
	length, remote := strings.CutPrefix(rest, "R")
	switch {
	case remote:
		if f.Remote = true; length != "" {
			if f.Length, err = strconv.Atoi(length); err != nil {
				return wrong("a length must follow R")
			}
		}
		data = ""
	case fd:
		if data == "" || data[0] < '0' || data[0] > '3' {
			return wrong("a digit must follow ##: 1 for BRS, 2 for ESI, 3 for both, or 0")
		}
		f.FD, f.Switch, f.Passive = true, (data[0]-'0')&flagBRS != 0, (data[0]-'0')&flagESI != 0
		data = data[1:]
	}
	bytes, err := hex.DecodeString(data)
	if err != nil || len(bytes) > MaxLengthFD {
		return wrong("its data must be two hexadecimal digits per byte")
	}
	if !remote {
		f.Length = copy(f.Data[:], bytes)
	}
	if err := f.Check(); err != nil {
		return wrong(err.Error())
	}
	return f, nil
}
