// Package block is the disks of a board: virtio-blk devices (virtio 1.2 section 5.2; Linux
// drivers/block/virtio_blk.c). Package image keeps their contents.
//
// In virtual time a request takes the time that its disk's [Timing] says, and is carried out
// when that is over. In real time it is carried out on a goroutine of the disk's, so that
// the board's other devices do not wait for the host's.
package block
