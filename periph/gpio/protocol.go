package gpio

// Feature bits (section 5.18.3).
const featureIRQ = 1 << 0

// The virtqueues (section 5.18.2).
const (
	requestQueue = iota
	eventQueue
	queueCount
)

// Message types: struct virtio_gpio_request, field type (section 5.18.6).
const (
	msgGetNames     = 0x0001
	msgGetDirection = 0x0002
	msgSetDirection = 0x0003
	msgGetValue     = 0x0004
	msgSetValue     = 0x0005
	msgIRQType      = 0x0006
)

// Status of a message.
const (
	statusOK  = 0x0
	statusErr = 0x1
)

// Directions of a line.
const (
	directionNone = 0x00
	directionOut  = 0x01
	directionIn   = 0x02
)

// Interrupt types of a line. Rising and falling are bits: both is their sum.
const (
	irqNone        = 0x00
	irqEdgeRising  = 0x01
	irqEdgeFalling = 0x02
	irqEdgeBoth    = 0x03
	irqLevelHigh   = 0x04
	irqLevelLow    = 0x08
)

// Status of a returned eventq buffer (section 5.18.7).
const (
	irqStatusInvalid = 0x0
	irqStatusValid   = 0x1
)

// Sizes of the structures on the wire, in bytes.
const (
	configSize     = 8 // struct virtio_gpio_config
	requestSize    = 8 // struct virtio_gpio_request
	responseSize   = 2 // struct virtio_gpio_response
	irqRequestSize = 2 // struct virtio_gpio_irq_request
	irqStatusSize  = 1 // struct virtio_gpio_irq_response
)
