package diskimage

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// mke2fsConfig is Debian's, so that an image does not depend on this machine's.
const mke2fsConfig = `[defaults]
	base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
	blocksize = 4096
	inode_size = 256
	inode_ratio = 16384
[fs_types]
	ext4 = {
		features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
	}
`

// Sizes of an ext4, in bytes.
const (
	blockSize = 4096
	inodeSize = 256
	inodeBy   = 16384    // one for so many
	spare     = 32 << 20 // for the journal and small things
	mebibyte  = 1 << 20
)

// ext4 makes an empty file system with mke2fs and has debugfs write the files, in the order
// of their names: mke2fs itself would take them in the order in which this machine's folders
// have them, with dates of this machine.
func (b *build) ext4() (string, error) {
	out, staged := b.at("ext4"), b.at("staged")
	if err := errors.Join(os.Mkdir(staged, 0o700), os.WriteFile(b.at("mke2fs.conf"), []byte(mke2fsConfig), 0o600)); err != nil {
		return "", err
	}
	s := &script{staged: staged}
	if err := s.write(b.merged, b.at("script")); err != nil {
		return "", err
	}
	size := b.partitionSize()
	if size == 0 {
		size = s.bytes + s.bytes/4 + int64(s.inodes)*inodeSize + spare
		size = (size + mebibyte - 1) / mebibyte * mebibyte
	}
	id := uuid(b.id("ext4"))
	inodes := max(int64(s.inodes)*5/4+64, size/inodeBy)
	args := []string{"-q", "-F", "-t", "ext4", "-U", id, "-E", "hash_seed=" + id + ",root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0", "-N", fmt.Sprint(inodes), "-m", "0"}
	if b.Label != "" {
		args = append(args, "-L", b.Label)
	}
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(out, size); err != nil {
		return "", err
	}
	if err := b.run("mke2fs", nil, append(args, out)...); err != nil {
		return "", err
	}
	if err := b.run("debugfs", nil, "-w", "-f", b.at("script"), out); err != nil {
		return "", fmt.Errorf("%w (is %d MiB enough for the files? --size makes it larger)", err, size>>20)
	}
	return out, os.RemoveAll(staged)
}

// script is debugfs's, with the files' contents in a folder beside it.
type script struct {
	staged string
	w      *bufio.Writer
	at     string // its current folder
	n      int    // of staged files
	inodes int
	bytes  int64
	links  map[string]int // by the name of the file
}

func (s *script) write(merged, to string) error {
	in, err := os.Open(merged)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	s.w, s.at, s.links = bufio.NewWriter(out), "/", make(map[string]int)
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = s.entry(h, t)
		}
		if err != nil {
			out.Close()
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.links)) {
		s.do("cd", "/")
		s.do("sif", name, "links_count", fmt.Sprint(s.links[name]+1))
	}
	return errors.Join(s.w.Flush(), out.Close())
}

// do adds a command, with its words quoted (libss).
func (s *script) do(words ...string) {
	for i, w := range words {
		if i > 0 {
			s.w.WriteByte(' ')
		}
		s.w.WriteString(`"` + strings.ReplaceAll(w, `"`, `""`) + `"`)
	}
	s.w.WriteByte('\n')
}

// entry adds what makes one file.
func (s *script) entry(h *tar.Header, data io.Reader) error {
	if strings.ContainsAny(h.Name+h.Linkname, "\n\r") {
		return fmt.Errorf("%q: a line's end in a name cannot be put into an ext4 image", h.Name)
	}
	full := "/" + strings.TrimSuffix(h.Name, "/")
	if dir := path.Dir(full); dir != s.at {
		s.do("cd", dir)
		s.at = dir
	}
	name := path.Base(full)
	s.inodes++
	s.bytes += (h.Size+blockSize-1)/blockSize*blockSize + int64(len(name)) + 16
	kind := "0"
	switch h.Typeflag {
	case tar.TypeDir:
		s.bytes += blockSize
		s.do("mkdir", name)
		kind = "04"
	case tar.TypeReg:
		file, err := s.stage(data)
		if err != nil {
			return err
		}
		s.do("write", file, name)
		kind = "010"
	case tar.TypeSymlink:
		s.bytes += blockSize
		s.do("symlink", name, h.Linkname)
		kind = "012"
	case tar.TypeLink:
		s.do("expand_dir", ".") // ln does not
		s.do("ln", "/"+h.Linkname, name)
		s.links["/"+h.Linkname]++
		s.bytes += blockSize
		return nil
	case tar.TypeChar, tar.TypeBlock:
		letter := "c"
		if kind = "02"; h.Typeflag == tar.TypeBlock {
			letter, kind = "b", "06"
		}
		s.do("mknod", name, letter, fmt.Sprint(h.Devmajor), fmt.Sprint(h.Devminor))
	case tar.TypeFifo:
		s.do("mknod", name, "p")
		kind = "01"
	}
	return s.attributes(name, h, fmt.Sprintf("%s%04o", kind, h.Mode&0o7777))
}

// attributes gives a file its owner, mode and dates.
func (s *script) attributes(name string, h *tar.Header, mode string) error {
	s.do("sif", name, "mode", mode)
	for _, id := range []struct {
		field string
		value int
	}{{"uid", h.Uid}, {"gid", h.Gid}} {
		if id.value != 0 {
			s.do("sif", name, id.field, fmt.Sprint(id.value))
		}
	}
	for _, field := range []string{"mtime", "atime", "ctime", "crtime"} {
		s.do("sif", name, field, fmt.Sprintf("@%d", h.ModTime.Unix()))
	}
	const xattr = "SCHILY.xattr."
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if attr, ok := strings.CutPrefix(key, xattr); ok {
			file, err := s.stage(strings.NewReader(h.PAXRecords[key]))
			if err != nil {
				return err
			}
			s.do("ea_set", "-f", file, name, attr)
		}
	}
	return nil
}

// stage writes a file's contents where debugfs reads them.
func (s *script) stage(data io.Reader) (string, error) {
	s.n++
	name := path.Join(s.staged, fmt.Sprint(s.n))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, data)
	return name, errors.Join(err, f.Close())
}
