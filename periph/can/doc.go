// Package can is the CAN controller: the virtio-can device that the guest sees (virtio 1.4,
// section "CAN Device"; Linux drivers/net/can/virtio_can.c), in front of a node of the bus
// that package simbus/can has, and the bus of appliance files.
//
// The driver of virtio-can knows nothing of bit timing, which the board file fixes, nor of bit
// rate switching: CAN FD frames are sent with it where the data phase has another bit rate.
package can
