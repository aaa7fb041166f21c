package boards

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"backplane/boards/tomlfile"
	guestkernel "backplane/guest/kernel"
	"backplane/periph"
	"backplane/simbus/hostfile"
)

// kernelFile is a file that a board's kernel is made of.
type kernelFile struct {
	at, name, path string
}

// kernelConfigs are the files of the board's own configuration of its kernel.
func (b *Board) kernelConfigs() (list []kernelFile) {
	if f := b.Firmware.KernelConfig; f != "" {
		list = append(list, kernelFile{"firmware.kernel_config", f, b.Beside(f)})
	}
	return append(list, b.kernelFiles("firmware.kernel.config", b.Firmware.Kernel.Config)...)
}

func (b *Board) kernelFiles(at string, names []string) (list []kernelFile) {
	for i, name := range names {
		list = append(list, kernelFile{fmt.Sprintf("%s[%d]", at, i), name, b.Beside(name)})
	}
	return list
}

// kernel checks what the board wants of its kernel, as far as that can be done without
// a kernel's tree.
func (c *checker) kernel() {
	for _, f := range c.b.kernelConfigs() {
		err := c.paths.Add(c.doc, f.at, f.name, f.path)
		if err == nil {
			_, err = readKernelConfig(c.paths.Folder, f.path)
		}
		if err != nil {
			c.doc.Problems = append(c.doc.Problems, c.b.kernelProblems(f, err)...)
		}
	}
	k := &c.b.Firmware.Kernel
	known := guestkernel.DebugMeans()
	for i, means := range k.Debug {
		at := fmt.Sprintf("firmware.kernel.debug[%d]", i)
		switch {
		case !slices.Contains(known, means):
			c.doc.Add(at, "%q is not a debugging option%s: there are %s", means, periph.Suggest(means, known), strings.Join(known, ", "))
		case slices.Index(k.Debug, means) < i:
			c.doc.Add(at, "%q is listed twice", means)
		}
	}
	if k.Revision != "" && k.Source == "" {
		c.doc.Add("firmware.kernel.revision", "a revision needs a source")
	}
	c.kernelSource()
	for _, f := range c.b.kernelFiles("firmware.kernel.patches", k.Patches) {
		err := c.trusted(f)
		if err == nil {
			_, err = hostfile.Read(f.path, MaxKernelPatch)
		}
		if err != nil {
			c.doc.Add(f.at, "%s: %v", f.path, hostfile.Cause(err))
		}
	}
}

func (c *checker) kernelSource() {
	k := &c.b.Firmware.Kernel
	if k.Source == "" {
		return
	}
	path := c.b.Beside(k.Source)
	err := c.trusted(kernelFile{"firmware.kernel.source", k.Source, path})
	if err == nil {
		_, err = guestkernel.KindOf(path, k.Revision)
	}
	if err != nil {
		c.doc.Add("firmware.kernel.source", "%s: %v", path, hostfile.Cause(err))
	}
}

// trusted notes a file whose text is executed on the host while the kernel is built, so
// that there may be none where files have to lie in a folder.
func (c *checker) trusted(f kernelFile) error {
	if err := c.paths.Add(c.doc, f.at, f.name, f.path); err != nil {
		return err
	}
	if c.paths.Folder != nil {
		return errors.New("can act on the host during the build: --restrict allows no kernel source and no patches of a board's own")
	}
	return nil
}

// readKernelConfig reads a kernel's configuration. One that has to lie in a folder is of
// somebody who is not trusted, and may hold nothing that acts on the host while the kernel
// is built: a file's text, or what make(1) executes, would be in a text.
func readKernelConfig(folder *hostfile.Folder, path string) (f guestkernel.Fragment, err error) {
	f.File = path
	if f.Text, err = folder.Read(path, MaxKernelConfig); err != nil {
		return f, err
	}
	problems := guestkernel.CheckLines(f)
	if folder != nil {
		problems = append(problems, guestkernel.CheckTexts(f)...)
	}
	if len(problems) > 0 {
		return f, problems
	}
	return f, nil
}

// kernelProblems says what is wrong with a file of the board's kernel, in that file if
// it is there.
func (b *Board) kernelProblems(f kernelFile, err error) (problems tomlfile.Problems) {
	var list guestkernel.Problems
	if !errors.As(err, &list) {
		return tomlfile.Problems{b.doc.Problem(f.at, "%s: %v", f.path, hostfile.Cause(err))}
	}
	for _, p := range list {
		problems = append(problems, tomlfile.Problem{File: p.File, Line: p.Line, Col: 1, Text: p.Text})
	}
	return problems
}

// Recipe reads what the board's kernel is made of.
func (b *Board) Recipe(folder *hostfile.Folder) (r guestkernel.Recipe, err error) {
	k := &b.Firmware.Kernel
	r.Revision, r.Debug = k.Revision, k.Debug
	if k.Source != "" {
		r.Source = b.Beside(k.Source)
	}
	for _, f := range b.kernelConfigs() {
		text, err := readKernelConfig(folder, f.path)
		if err != nil {
			return r, b.kernelProblems(f, err)
		}
		r.Config = append(r.Config, text)
	}
	for _, f := range b.kernelFiles("firmware.kernel.patches", k.Patches) {
		text, err := folder.Read(f.path, MaxKernelPatch)
		if err != nil {
			return r, b.kernelProblems(f, err)
		}
		r.Patches = append(r.Patches, guestkernel.Fragment{File: f.path, Text: text})
	}
	return r, nil
}

// BoardKernel is the kernel that a board of an appliance wants.
type BoardKernel struct {
	Board    string
	CPUs     int
	Topology bool // the board says how they are arranged
	Recipe   guestkernel.Recipe
	Own      bool // made as the board says
	board    *Board
}

// Place lets problems of the kernel be the board file's.
func (k *BoardKernel) Place(err error) error { return k.board.PlaceKernel(err) }

// Kernels are those that the boards want, in their order.
func (a *Appliance) Kernels() (list []BoardKernel, err error) {
	for i := range a.Board {
		b := a.Board[i].Board
		k := BoardKernel{Board: a.Board[i].Name, CPUs: b.CPUs, Topology: b.Topology != nil, Own: b.doc.Has("firmware.kernel") || b.Firmware.KernelConfig != "", board: b}
		if k.Recipe, err = b.Recipe(a.paths.Folder); err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

// PlaceKernel lets problems of the source and of means of debugging be the board's that
// wants them.
func (b *Board) PlaceKernel(err error) error {
	var source *guestkernel.SourceError
	if errors.As(err, &source) && b.Firmware.Kernel.Source != "" {
		return tomlfile.Problems{b.doc.Problem("firmware.kernel.source", "%s: %v", source.Source, source.Err)}
	}
	var problems tomlfile.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i, means := range b.Firmware.Kernel.Debug {
		for j, p := range problems {
			if p.File == guestkernel.DebugFile(means) {
				problems[j] = b.doc.Problem(fmt.Sprintf("firmware.kernel.debug[%d]", i), "%s: %s", means, p.Text)
			}
		}
	}
	return err
}
