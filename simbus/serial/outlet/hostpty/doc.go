// Package hostpty is a pseudo terminal of the host whose other side is a serial line: a
// program opens it as it would open /dev/ttyUSB0.
//
// What it sets by termios(3) is followed as far as Linux lets the other side of a pseudo
// terminal see it: the rate, stop bits, odd, mark and space parity, and flow control. Linux
// clears PARENB, and makes CSIZE CS8 (pty_set_termios in drivers/tty/pty.c), so even parity
// and other sizes are those that the pseudo terminal was made with. There are no modem lines
// (TIOCMGET), no breaks, no marks for errors, and tcdrain(3) does not wait for the line. All
// this can be had by package rfc2217. tcflush(3) drops what has been taken from the kernel,
// which is all but where more than [sendAhead] bytes wait.
//
// Settings are looked at whenever bytes come, and each [pollTime]. EXTPROC would tell of them
// at once, but changes what a program reads: the kernel then leaves out line editing, echo and
// ICRNL.
package hostpty
