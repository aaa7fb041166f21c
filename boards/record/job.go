package record

import (
	"os"
	"strings"

	"backplane/firmware/agentproto"
)

// Job is something that a board's agent does: run a program, or write or read a file.
type Job struct {
	Do    string   `json:"-"` // DoExec, DoPut or DoFetch
	Board string   `json:"-"`
	Args  []string `json:"args,omitempty"` // a program's
	Env   []string `json:"env,omitempty"`
	// Terminal lets the program run on a terminal of that size.
	Terminal *agentproto.Size `json:"terminal,omitempty"`
	File     string           `json:"file,omitempty"`
	Mode     os.FileMode      `json:"mode,omitempty"` // of a file that is written
	// Input is a program's, or what is written to a file; with Open more follows.
	Input []byte `json:"input,omitempty"`
	Open  bool   `json:"open,omitempty"`
	// Window bounds the output that nobody has taken yet, in bytes; 0 does not.
	Window int `json:"window,omitempty"`
}

// Name is what the event of its end calls a job.
func (j *Job) Name() string {
	switch j.Do {
	case DoPut:
		return "put " + j.File
	case DoFetch:
		return "get " + j.File
	}
	return strings.Join(j.Args, " ")
}
