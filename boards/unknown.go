package boards

import (
	"fmt"

	"backplane/periph"
)

// UnknownError says that there is no such thing of a kind, and which was probably meant.
type UnknownError struct {
	What, Name string
	Known      []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no %s %q%s", e.What, e.Name, periph.Suggest(e.Name, e.Known))
}

func Unknown(what, name string, known []string) error { return &UnknownError{what, name, known} }
