// Package kernelconfig is what makes a guest kernel of a plain kernel tree:
// configuration fragments and patches, each with its reason in it.
package kernelconfig

import "embed"

// Files holds *.config, debug/NAME.config for each means of debugging, and
// patches/SERIES/*.patch for each kernel series that there are patches for. Where a
// series has some of another's, patches/SERIES/series lists all.
//
//go:embed *.config debug/*.config patches/*/*.patch patches/*/series
var Files embed.FS
