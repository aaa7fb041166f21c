// Package serial is the asynchronous serial line: characters of a start bit, five to eight
// data bits, perhaps a parity bit, and one to two stop bits, at a rate that both ends have to
// agree on. A [Port] is what a UART has between its FIFOs and its pins: a transmitter, a
// receiver and modem lines. A [Link] is a cable between two ports, whose boards may run ahead
// of one another; a [Bus] is an RS-485 bus of many, whose boards share one time.
//
// Words: the line is high when it rests (mark), and low in a start bit (space). A break is a
// line that is low for longer than a character. A run is what a transmitter sends without a
// gap and with one format: it is what goes from port to port, and its receiver knows from it
// when each bit begins. A receiver with the same format takes the run's characters as they
// are. For any other the line is sampled, as a UART does: it looks for a falling edge, and
// looks at the middle of each bit from there, at its own rate.
//
// A character arrives at the end of its last stop bit. Times are exact to the nanosecond: they
// are counted in bits from where the line last rested, so that no rounding adds up.
package serial
