package spi

// Layouts (virtio 1.4 draft, "SPI Controller Device"; Linux include/uapi/linux/virtio_spi.h),
// in bytes.
const (
	configSize = 32 // struct virtio_spi_config
	headSize   = 32 // struct spi_transfer_head
	resultSize = 1  // struct spi_transfer_result
)

// Offsets in the configuration space.
const (
	configSelects     = 0
	configCSChange    = 1
	configBits        = 4
	configModes       = 8
	configMaxHz       = 12
	configMaxDelay    = 16 // of words, set-up, hold, inactive: 4 bytes each
	configDelays      = 4
	configAllBits     = 1<<maxBits - 1 // bit n: words of n+1 bits
	configAllModes    = 1<<7 - 1       // both phases and polarities, active high, LSB first, loopback
	configAllSelected = 1
)

// Offsets in the head of a transfer.
const (
	headSelect   = 0
	headBits     = 1
	headCSChange = 2
	headTxLines  = 3
	headRxLines  = 4
	headMode     = 8
	headHz       = 12
	headWord     = 16 // delay between words, ns
	headSetup    = 20 // delay after the chip select has become active, ns
	headHold     = 24 // delay before it is released, ns
	headInactive = 28 // delay after that, ns
)

// Results of a transfer.
const (
	resultOK    = 0
	resultParam = 1 // the head is not valid, or wants what the device has not
)

// Limits of a transfer.
const (
	maxBits     = 32      // of a word
	maxTransfer = 4 << 20 // bytes: what Linux can allocate in one piece
	maxDelay    = 1e9     // ns, of each kind
	maxKept     = 64 << 10
)
