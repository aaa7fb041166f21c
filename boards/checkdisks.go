package boards

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	"backplane/periph"
	"backplane/periph/block/image"
	"backplane/simbus/hostfile"
)

// Medium is where the contents of a controller are, if it has any, in files of the host.
func (b *Board) Medium(c *Controller) (m image.Medium, ok bool) {
	config, ok := c.Config.(periph.StorageConfig)
	if !ok {
		return m, false
	}
	m = config.Medium()
	for _, name := range []*string{&m.Image, &m.Keep} {
		if *name != "" {
			*name = c.beside(*name)
		}
	}
	return m, true
}

// storage takes what the appliance says of the disk of this instance: two boards of one
// file cannot keep what they write in the same one.
func (c *checker) storage(x *Controller) {
	if _, ok := x.Config.(periph.StorageConfig); !ok {
		return
	}
	keys := tomlfile.Fields(reflect.ValueOf(x.Config).Elem().Interface())
	for _, name := range c.setOf[x.Name] {
		if _, key, _ := strings.Cut(name, "."); slices.Contains(keys, key) {
			c.doc.DecodeAll(x.at, map[string]any{key: c.set[name]}, x.Config)
			delete(c.set, name)
		}
	}
}

// checkDisks finds disks whose files are not there or are no images, and those that would
// write over each other; those of the first boards are known to be good.
func (a *Appliance) checkDisks(good int) {
	first := make(map[string]string) // by path: who keeps what it writes there
	for i, m := range a.Members() {
		if m.Board == nil {
			continue
		}
		for _, c := range m.Board.Controllers() {
			if medium, ok := m.Board.Medium(c); ok && i < good {
				m.keeps(c, medium, first)
			} else if ok {
				a.checkMedium(m, c, medium, first, func(p tomlfile.Problem) { a.doc.Problems = append(a.doc.Problems, p) })
			}
		}
		if i >= good && !a.anew {
			m.Board.checkRootDisks(a)
		}
	}
}

// keeps notes where a disk that is known to be good keeps what is written to it.
func (m *Member) keeps(c *Controller, medium image.Medium, first map[string]string) {
	if medium.Keep == "" {
		return
	}
	if path, err := filepath.Abs(medium.Keep); err == nil {
		first[path] = m.Name + "." + c.Name
	}
}

// checkMedium looks at the files of one disk; first says who keeps what it writes in a file.
func (a *Appliance) checkMedium(m *Member, c *Controller, medium image.Medium, first map[string]string, report func(tomlfile.Problem)) {
	complain := func(key, format string, args ...any) { report(c.doc.Problem(c.at+"."+key, format, args...)) }
	named := c.Config.(periph.StorageConfig).Medium()
	key := "keep"
	if medium.Image != "" {
		key = "image"
		if err := a.paths.Add(c.doc, c.at+".image", named.Image, medium.Image); err != nil {
			complain("image", "%s: %v", medium.Image, hostfile.Cause(err))
			return
		}
	}
	if medium.Keep != "" {
		if err := a.paths.Add(c.doc, c.at+".keep", named.Keep, medium.Keep); err != nil {
			complain("keep", "%s: %v", medium.Keep, hostfile.Cause(err))
			return
		}
		path, err := filepath.Abs(medium.Keep)
		if err != nil {
			return // a working folder that has gone, which others say
		}
		who := m.Name + "." + c.Name
		if other := first[path]; other != "" {
			complain("keep", "%s and %s keep what they write in the same file, %s: give each its own; for two boards of one file with set = { \"%s.keep\" = \"%s-%s\" }",
				who, other, named.Keep, c.Name, m.Name, filepath.Base(named.Keep))
			return
		}
		first[path] = who
		if st, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) || err == nil && !st.IsDir() {
			complain("keep", "%s: there is no folder %s", named.Keep, filepath.Dir(path))
			return
		}
	}
	if a.anew {
		medium.Keep = ""
	}
	if err := medium.Check(a.paths.Folder.Open); err != nil {
		var missing *fs.PathError
		if errors.As(err, &missing) && missing.Path == medium.Image {
			err = hostfile.Cause(err)
			complain(key, "%s: %v", medium.Image, err)
			return
		}
		complain(key, "%v", err)
	}
}
