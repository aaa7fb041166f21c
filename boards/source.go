package boards

import (
	"backplane/boards/tomlfile"
	"backplane/simbus/hostfile"
)

// What a running appliance needs of the files that describe it.

// SourceFile is the name of the appliance's file.
func (a *Appliance) SourceFile() string { return a.doc.File }

// Beside is the path of a file that the appliance's file names.
func (a *Appliance) Beside(name string) string { return a.doc.Beside(name) }

// Folder is the folder in which all files have to lie that the appliance names; nil: anywhere.
func (a *Appliance) Folder() *hostfile.Folder { return a.paths.Folder }

// Problem is something wrong at a key of the appliance's file.
func (a *Appliance) Problem(key, format string, args ...any) tomlfile.Problem {
	return a.doc.Problem(key, format, args...)
}

// SourceFile is the name of the board's file.
func (b *Board) SourceFile() string { return b.doc.File }

// Problem is something wrong at a key of the board's file.
func (b *Board) Problem(key, format string, args ...any) tomlfile.Problem {
	return b.doc.Problem(key, format, args...)
}

// ProblemIn is a mistake in a controller's table.
func (b *Board) ProblemIn(c *Controller, key, format string, args ...any) tomlfile.Problem {
	return c.doc.Problem(c.at+"."+key, format, args...)
}
