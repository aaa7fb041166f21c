package control

import (
	"fmt"
	"strings"

	"backplane/boards"
)

// check says what is wrong with a request in itself, by what the same thing may be in a
// file. The command itself looks up the names in it.
func (r *Request) check() error {
	if r.Lines < 0 {
		return fmt.Errorf("lines is %d; it must be a number of lines, or 0 for all", r.Lines)
	}
	for key, text := range map[string]string{"path": r.Path, "value": r.Value, "filter": r.Filter} {
		if strings.ContainsRune(text, 0) {
			return fmt.Errorf("%s %q contains a NUL", key, text)
		}
	}
	for key, list := range map[string][]string{"args": r.Args, "env": r.Env} {
		for _, text := range list {
			if strings.ContainsRune(text, 0) {
				return fmt.Errorf("%s: %q contains a NUL", key, text)
			}
		}
	}
	if r.Mode&^0o777 != 0 {
		return fmt.Errorf("mode is %#o; it must be at most 0777", uint32(r.Mode))
	}
	if r.Command == "capture" {
		return boards.CheckCapture(r.Args, r.Snap)
	}
	return nil
}
