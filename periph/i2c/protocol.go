package i2c

// Feature bits (section 5.16.3). The driver must accept this one.
const featureZeroLengthRequest = 1 << 0

// Flags of a request: struct virtio_i2c_out_hdr (section 5.16.6.1).
const (
	flagFailNext = 1 << 0 // the next request belongs to the same group
	flagRead     = 1 << 1 // VIRTIO_I2C_FLAGS_M_RD
)

// Status of a request: struct virtio_i2c_in_hdr.
const (
	statusOK  = 0
	statusErr = 1
)

// Sizes in bytes.
const (
	headerSize = 8       // struct virtio_i2c_out_hdr
	statusSize = 1       // struct virtio_i2c_in_hdr
	maxMessage = 1 << 16 // Linux's struct i2c_msg has a 16-bit length
	maxGroup   = 1 << 20 // all messages of one transaction
)

// The addresses that a target can have; the others are reserved
// (I2C-bus specification UM10204, table 4).
const (
	MinAddress = 0x08
	MaxAddress = 0x77
)

// Bits on the wire (UM10204 section 3.1).
const (
	bitsPerByte   = 9 // eight, and the acknowledge
	bitsStart     = 1 // START or repeated START
	bitsStop      = 1
	bytesAddress  = 1 // address and direction, before each message
	bitsAddressed = bitsStart + bytesAddress*bitsPerByte
)
