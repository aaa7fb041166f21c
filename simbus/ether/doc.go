// Package ether is the Ethernet between boards. A [Segment] is a switch that learns
// which address is behind which port, with VLANs (IEEE 802.1Q), mirrors, storm limits,
// and IGMP and MLD snooping (RFC 4541). A [Port] is where a board's NIC meets it. Each
// direction of a port's cable has an [Impairment]: latency, bandwidth, loss and so on.
//
// A [Frame] goes one of two ways. On the direct way, in real time and where nothing
// impairs it, the sender's goroutine hands it to the receiver, who copies it out of
// the sender's memory: nothing is stored, and nothing is allocated. Otherwise it is
// copied once and crosses the segment's own domain, as it would be on a wire: what its
// sender left to others (checksums, segmentation: [Offload]) is done first.
//
// What happens is an event of the stream (frame, frame.end), a count ([Counters]), and
// shown to taps ([simbus.TapFunc]).
package ether
