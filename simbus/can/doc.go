// Package can is the CAN bus (ISO 11898-1:2015): a [Bus] is the two wires, a [Node] is a
// CAN controller with its transceiver on them.
//
// Words: a frame is a data or remote frame, classic or FD; a node that sends one is its
// transmitter, all others are receivers. A node is error-active, error-passive or bus-off,
// by its two counters TEC (of errors as a transmitter) and REC (as a receiver). A flag is
// the six bits by which a node tells the others of an error.
//
// The model works frame by frame and is exact to the bit: how long a frame takes follows
// from its bits, stuff bits included; arbitration, acknowledgement, error flags, suspended
// transmission and bus-off recovery take the bits that the standard says. The wires have no
// length, clocks do not drift, and all nodes of a bus have the same bit rates.
//
// All nodes of a bus have to agree on each bit at once. So they share one clock, and all
// methods are called on the goroutine that drives it.
package can
