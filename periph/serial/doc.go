// Package serial is the serial ports of a board, and the links between them. A [UART] is a
// console of the guest (package console) whose bytes take their time on a line.
package serial
