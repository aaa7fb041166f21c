package can

import "encoding/binary"

// LinkType is what pcapng calls SocketCAN frames, which [Frame.AppendSocketCAN] writes
// (LINKTYPE_CAN_SOCKETCAN of tcpdump.org).
const LinkType = 227

// SocketCANSize is how long a frame is at most, as AppendSocketCAN writes it.
const SocketCANSize = 8 + MaxLengthFD

// Flags of an identifier, and the classes of errors (Linux include/uapi/linux/can.h and
// can/error.h).
const (
	idExtended = 1 << 31
	idRemote   = 1 << 30
	idError    = 1 << 29

	classProtocol = 1 << 3
	classAck      = 1 << 5
	classBus      = 1 << 7

	errorLength = 8
	errorType   = 2 // byte of the data: what kind of protocol error
	errorPlace  = 3 // and in which part of a frame

	typeBit   = 1 << 0
	typeStuff = 1 << 2
	typeTx    = 1 << 7
	placeCRC  = 0x08
	placeAck  = 0x19
)

// AppendSocketCAN appends the frame as Linux has it in a packet socket: the identifier with
// its flags in network order, the length, the flags of an FD frame, and the data.
func (f *Frame) AppendSocketCAN(b []byte) []byte {
	id := f.ID
	if f.Extended {
		id |= idExtended
	}
	flags := byte(0)
	if f.Remote {
		id |= idRemote
	}
	if f.FD {
		flags = flagFDF | f.flags()
	}
	b = binary.BigEndian.AppendUint32(b, id)
	b = append(b, byte(f.Length), flags, 0, 0)
	return append(b, f.Payload()...)
}

// AppendSocketCAN appends the error as the error frame that a driver with bus error
// reporting makes of it.
func (e *Error) AppendSocketCAN(b []byte) []byte {
	class := uint32(classProtocol | classBus)
	var data [errorLength]byte
	switch e.Kind {
	case BitError:
		data[errorType] = typeBit | typeTx
	case StuffError:
		data[errorType] = typeStuff
	case CRCError:
		data[errorPlace] = placeCRC
	case AckError:
		class |= classAck
		data[errorPlace] = placeAck
	}
	b = binary.BigEndian.AppendUint32(b, idError|class)
	b = append(b, errorLength, 0, 0, 0)
	return append(b, data[:]...)
}
