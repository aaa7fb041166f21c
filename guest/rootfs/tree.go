package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// node is a name in the file system as the layers so far make it.
type node struct {
	*inode
	children map[string]*node // a folder's
	target   string           // a symbolic link's
}

// inode is a file, which may have several names.
type inode struct {
	mode   uint32
	ino    uint32
	size   int64
	names  int
	linked bool  // it has, or had, more than one
	at     int64 // where its header begins in the archive

	program // if it is one

	written entry // what was written of it last
}

func (n *node) is(kind uint32) bool { return n != nil && n.mode&typeMask == kind }

// find is what the name leads to, nil if nothing; it follows no links.
func (p *Packer) find(name string) *node {
	n := p.root
	for _, part := range parts(name) {
		if n = n.children[part]; n == nil {
			return nil
		}
	}
	return n
}

func parts(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(s string) bool { return s == "" || s == "." })
}

// Limits of what a name may lead through: symbolic links, as in Linux, and folders.
const (
	maxLinks = 40
	maxSteps = 10_000
)

// follow is the name without the symbolic links to folders in it; a last one that is
// itself a link stays, unless last is set.
func (p *Packer) follow(name string, last bool) (string, error) {
	var at []string
	on := []*node{p.root} // those that at leads through; nil where there is nothing yet
	links := 0
	for rest, steps := parts(name), 0; len(rest) > 0; steps++ {
		if steps > maxSteps {
			return "", fmt.Errorf("%.40s leads through more than %d folders", name, maxSteps)
		}
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = at[:max(0, len(at)-1)]
			on = on[:len(at)+1]
			continue
		}
		var n *node
		if above := on[len(at)]; above != nil {
			n = above.children[part]
		}
		switch {
		case n.is(typeSymlink) && (len(rest) > 0 || last):
			if links++; links > maxLinks {
				return "", fmt.Errorf("%s leads through too many symbolic links", name)
			}
			if path.IsAbs(n.target) {
				at, on = nil, on[:1]
			}
			rest = append(parts(n.target), rest...)
		case n != nil && !n.is(typeDir) && len(rest) > 0:
			return "", fmt.Errorf("%s is below %s, which is not a folder", name, path.Join(path.Join(at...), part))
		default:
			at, on = append(at, part), append(on, n)
		}
	}
	return path.Join(at...), nil
}

// Mountable tells whether something can be mounted under a name: there is a folder, or nothing.
func (p *Packer) Mountable(name string) bool {
	to, err := p.follow(name, true)
	if err != nil {
		return false
	}
	n := p.find(to)
	return n == nil || n.is(typeDir)
}

// put makes the name lead to the node.
func (p *Packer) put(name string, n *node) {
	if old := p.find(name); old != nil {
		old.names--
	}
	n.names++
	p.find(path.Dir("/" + name)).children[path.Base(name)] = n
}

// Usage is what a file system takes of a guest's memory once it is unpacked.
type Usage struct {
	Names int   // files, folders and links
	Bytes int64 // of pages, and of what the kernel knows of each
}

// What Linux keeps for each file and each name in memory, in bytes, rounded up: an
// inode of ramfs and a dentry on a 64-bit kernel.
const (
	pageSize   = 4096
	inodeBytes = 768
	nameBytes  = 256
)

// Usage adds up what was packed so far.
func (p *Packer) Usage() Usage {
	var u Usage
	counted := make(map[*inode]bool)
	var add func(n *node)
	add = func(n *node) {
		u.Names++
		u.Bytes += nameBytes
		if !counted[n.inode] {
			counted[n.inode] = true
			u.Bytes += inodeBytes + (n.size+pageSize-1)/pageSize*pageSize // a link's target has a page, too
		}
		for _, child := range n.children {
			add(child)
		}
	}
	add(p.root)
	return u
}
