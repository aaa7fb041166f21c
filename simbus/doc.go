// Package simbus is the time of an appliance, and the stream of what happens in it:
// clock, calendar, domains, guests' turns, events. It knows nothing of what runs
// between boards, which has packages below it (wire, ether, gateway), nor of virtio,
// boards or TOML.
//
// A [Calendar] holds the time of one appliance, virtual or real. It is split
// into [Domain]s, one for each group of boards that must share one time line
// (usually one board). Everything that belongs to a domain — its guest, the
// device models on it — is driven by one goroutine at a time and needs no
// locks. What crosses from one domain to another carries a delivery time
// ([Domain.Send]); the smallest delay between two domains is what lets one run
// ahead of the other.
//
// The virtual clock speaks the kernel's time-travel protocol
// (include/uapi/linux/um_timetravel.h, with shared-memory scheduling).
package simbus
