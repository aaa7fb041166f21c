package serial

// The virtio device is our own: no number is assigned for a UART. Its driver is
// firmware/kernel/patches, virtio_uart; the layouts are those of its
// include/uapi/linux/virtio_uart.h.

// Queues.
const (
	queueRx = iota
	queueTx
	queueControl
	queueEvent
	queueCount
)

// Layouts, in bytes.
const (
	configSize  = 20 // struct virtio_uart_config
	rxHead      = 4  // struct virtio_uart_rx, without the data
	eventSize   = 4  // struct virtio_uart_event
	controlSize = 16 // struct virtio_uart_control
)

// Types of requests.
const (
	requestReceiver = iota + 1
	requestFormat
	requestLines
	requestBreak
	requestHold
	requestFlush
	requestXchar
	requestRS485
)

// statusOverrun says that characters were lost behind the last one of a buffer. What is wrong
// with that itself are its [serial.Flags].
const statusOverrun = 1 << 1

// Bits of a format, whose data bits are the lowest four.
const (
	formatBits    = 0xf
	formatParity  = 4 // shift
	formatStop    = 8 // shift
	formatAutoCTS = 1 << 12
	formatAutoRTS = 1 << 13
)

// Parities.
const (
	parityNone = iota
	parityOdd
	parityEven
	parityMark
	paritySpace
	parityCount
)

// Modem lines, as Linux has them (asm-generic/termios.h).
const (
	lineDTR  = 0x0002
	lineRTS  = 0x0004
	lineCTS  = 0x0020
	lineDCD  = 0x0040
	lineRI   = 0x0080
	lineDSR  = 0x0100
	lineLoop = 0x8000
)

// Flags of RS-485.
const (
	rs485Enabled  = 1 << 0
	rs485OnSend   = 1 << 1
	rs485RxDuring = 1 << 2
)

// maxDelay is the longest delay of RS-485 before and after, in ms, that a driver asks for
// (Linux RS485_MAX_RTS_DELAY).
const maxDelay = 100
