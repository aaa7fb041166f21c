// Package emulatorconfig has the patches with which Debian's QEMU lets the programs of other
// architectures reach a board's parts.
package emulatorconfig

import "embed"

// Patches are applied in the order of their names.
//
//go:embed patches/*.patch
var Patches embed.FS
