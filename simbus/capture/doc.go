// Package capture writes the frames of an appliance as pcapng, for Wireshark and
// tcpdump. A [Capture] goes to a file and has every frame. A [Live] goes to a reader
// that may be slow: it drops what the reader has no time for, and says how much. A
// [FIFO] is a named pipe that has a Live for each reader.
//
// Frames come from the taps of segments and ports. Which of them are kept is for
// package filter to say, in tcpdump's words.
//
// The format is that of draft-ietf-opsawg-pcapng.
package capture
