// Package kernelconfig is what makes a guest kernel of a plain kernel tree:
// configuration fragments and patches, each with its reason in it.
package kernelconfig

import "embed"

// Files holds *.config and patches/*.patch.
//
//go:embed *.config patches/*.patch
var Files embed.FS
