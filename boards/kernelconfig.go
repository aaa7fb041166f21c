package boards

import (
	"errors"

	"backplane/boards/tomlfile"
	guestkernel "backplane/guest/kernel"
	"backplane/simbus/hostfile"
)

// kernelConfig checks the board's own configuration of the kernel, as far as that can be
// done without a kernel's tree.
func (c *checker) kernelConfig(path string) {
	const at = "firmware.kernel_config"
	err := c.paths.Add(c.doc, at, c.b.Firmware.KernelConfig, path)
	if err == nil {
		_, err = readKernelConfig(c.paths.Folder, path)
	}
	if err != nil {
		c.doc.Problems = append(c.doc.Problems, c.b.kernelConfigProblems(err)...)
	}
}

// readKernelConfig reads a kernel's configuration. One that has to lie in a folder is of
// somebody who is not trusted, and may hold nothing that acts on the host while the kernel
// is built: a file's text, or what make(1) executes, would be in a text.
func readKernelConfig(folder *hostfile.Folder, path string) ([]byte, error) {
	text, err := folder.Read(path, MaxKernelConfig)
	if err != nil || folder == nil {
		return text, err
	}
	if problems := guestkernel.CheckTexts(text); len(problems) > 0 {
		return nil, problems
	}
	return text, nil
}

// kernelConfigProblems says what is wrong with the board's own configuration of the
// kernel, in that file if it is there.
func (b *Board) kernelConfigProblems(err error) (problems tomlfile.Problems) {
	path := b.path(b.Firmware.KernelConfig)
	var list guestkernel.Problems
	if !errors.As(err, &list) {
		return tomlfile.Problems{b.doc.Problem("firmware.kernel_config", "%s: %v", path, cause(err))}
	}
	for _, p := range list {
		problems = append(problems, tomlfile.Problem{File: path, Line: p.Line, Col: 1, Text: p.Text})
	}
	return problems
}
