// Package control is how one program reaches an appliance that another keeps
// running: a Unix socket that only its user can open.
//
// Each connection carries one command. The client sends a [Request], a JSON
// object on a line; the server answers with [Reply] objects, a line each, of
// which the last has Done set. While "exec" and "put" are under way the client
// sends [Input] objects, a line each, at most [Window] bytes of them more than it
// was told are taken; and while "console" is, up to one that has End set; and for "serial" until the
// client goes. After the first
// reply to "capture" the connection is a pcapng stream, which ends once the client has
// closed its direction.
package control

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"

	"backplane/firmware/agentproto"
	"backplane/simbus/serial"
)

// Request is one command.
type Request struct {
	Command  string           `json:"command"`            // the name of an action ([appliance.Actions]), or one of commands
	Path     string           `json:"path,omitempty"`     // get, set: board.part.property or segment.property; exec, put, fetch: board; console: board[:part]; places: of which kind
	Value    string           `json:"value,omitempty"`    // set; press: milliseconds; put, fetch: the file on the board; wait: for what
	Data     []byte           `json:"data,omitempty"`     // plug: what comes onto a board, from the file Value if that is not empty
	Args     []string         `json:"args,omitempty"`     // exec: the program and its arguments; capture: segments and segment:board.port; wait: boards; logs: board[:part]
	Env      []string         `json:"env,omitempty"`      // exec
	Terminal *agentproto.Size `json:"terminal,omitempty"` // exec: the program gets one
	Mode     os.FileMode      `json:"mode,omitempty"`     // put
	Filter   string           `json:"filter,omitempty"`   // capture
	Snap     int              `json:"snap,omitempty"`     // capture: bytes of a frame, 0 for all
	Follow   bool             `json:"follow,omitempty"`
	Lines    int              `json:"lines,omitempty"` // events, logs: how many of the last; 0 for all that are kept
}

// Input is what the client of a job or a console has to say.
type Input struct {
	Data     []byte           `json:"data,omitempty"` // input: at most MaxInput bytes
	End      bool             `json:"end,omitempty"`  // of the input
	Act      string           `json:"act,omitempty"`  // serial: an [outlet.Act], with Data
	Terminal *agentproto.Size `json:"terminal,omitempty"`
}

const (
	// Window is how much of a job's input, and of its output, may be under way, in bytes.
	Window = agentproto.Window
	// MaxInput is how much input stands in a line, in bytes.
	MaxInput = 32 << 10
)

// Reply is one answer.
type Reply struct {
	Error  string          `json:"error,omitempty"`
	Wrong  bool            `json:"wrong,omitempty"`  // with Error: there is nothing of a name that the request has
	Data   json.RawMessage `json:"data,omitempty"`   // ps, net, list, places, get
	Event  json.RawMessage `json:"event,omitempty"`  // events, logs
	Stdout []byte          `json:"stdout,omitempty"` // exec, fetch, console
	Stderr []byte          `json:"stderr,omitempty"`
	Note   string          `json:"note,omitempty"`  // exec, put, fetch: for people, why it takes time
	Taken  int             `json:"taken,omitempty"` // exec, put: so many more bytes of input
	// Dropped is how many bytes of a console's output are missing here, for which the
	// client was too slow.
	Dropped int `json:"dropped,omitempty"`
	// Act is what a serial port's line is set to, in the first answer; Flags what is wrong
	// with the last byte of Stdout, and Lines which of its inputs are active.
	Act    string        `json:"act,omitempty"`
	Flags  serial.Flags  `json:"flags,omitempty"`
	Lines  *serial.Lines `json:"lines,omitempty"`
	Status int           `json:"status,omitempty"` // exec, with Done
	Mode   os.FileMode   `json:"mode,omitempty"`   // fetch, with Done
	Done   bool          `json:"done,omitempty"`
}

// Path is where the socket of the appliance of that name is: in the user's runtime
// folder, or in a folder of the user's under TMPDIR, where there may be none yet.
func Path(appliance string) (string, error) {
	p, err := findPlace()
	return p.socket(appliance), err
}

// Runtime is the user's folder of those sockets, which also has a folder for each appliance
// that needs one. There may be none yet.
func Runtime() (string, error) {
	p, err := findPlace()
	return p.dir, err
}

// Running lists the names of appliances that are running: those that have a socket,
// and its server.
func Running() ([]string, error) {
	p, err := findPlace()
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, p.wrong(err)
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), suffix); ok && held(p.socket(name)) {
			names = append(names, name)
		}
	}
	return names, nil
}
