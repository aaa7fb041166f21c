// Package volume tells what is on a disk: its partitions, numbered as Linux numbers them
// (block/partitions/msdos.c, efi.c), and the file system in each. What it reads comes from
// outside, and may be anything.
package volume
