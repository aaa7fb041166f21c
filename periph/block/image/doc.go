// Package image keeps the contents of disks in files of the host. An image is what a disk
// begins with, and is never written to: a raw file, a qcow2 file or an overlay. An overlay
// is a file with the blocks that differ from an image, which is its base; docs/formats.md
// describes the format. A disk that is written to is an [Overlay], over an image or over
// nothing, with a [Cache], which forgets what was not flushed when its power goes.
package image
