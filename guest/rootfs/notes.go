package rootfs

import (
	"archive/tar"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// losses is what an initramfs does not have of a layer's though
// programs work without it: extended attributes, access control lists among them.
type losses struct {
	first string // of the files
	files int
	attrs map[string]bool
}

// tarAttributes are the prefixes of the records in which star and GNU tar keep
// extended attributes, with what stands for them in an attribute's name (GNU tar's
// src/xheader.c).
var tarAttributes = []struct{ record, attr string }{
	{"SCHILY.xattr.", ""}, {"SCHILY.acl.access", "system.posix_acl_access"}, {"SCHILY.acl.default", "system.posix_acl_default"},
	{"RHT.security.selinux", "security.selinux"},
}

// add notes what a file loses.
func (l *losses) add(name string, h *tar.Header) {
	lost := false
	for key := range h.PAXRecords {
		for _, a := range tarAttributes {
			if rest, ok := strings.CutPrefix(key, a.record); ok {
				if l.attrs == nil {
					l.attrs = make(map[string]bool)
				}
				l.attrs[a.attr+rest], lost = true, true
			}
		}
	}
	if !lost {
		return
	}
	if l.files++; l.first == "" {
		l.first = name
	}
}

// note says it for people; it is empty if nothing is lost.
func (l *losses) note(layer string) string {
	if l.files == 0 {
		return ""
	}
	what := l.first + " loses its"
	if l.files > 1 {
		what = fmt.Sprintf("%s and %d more lose their", l.first, l.files-1)
	}
	return fmt.Sprintf("%s: %s extended attributes (%s): an initramfs has none",
		layer, what, strings.Join(slices.Sorted(maps.Keys(l.attrs)), ", "))
}

// Notes says for people, once for each layer, what it loses though programs work
// without it.
func (p *Packer) Notes() []string { return p.notes }
