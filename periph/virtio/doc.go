// Package virtio is the device half of the virtio specification (version 1.2,
// split virtqueues, section 2.7) over guest memory that is mapped into this
// process. It is the border to the guest: every address, length and index that
// comes from it is checked once, here, and a driver that breaks the rules
// breaks its own device, nothing else.
//
// A [Device] is what a controller implements. A transport (package vhostuser)
// owns its [Queue]s and calls it.
package virtio
