package main

import (
	"io"
	"os"

	"backplane/boards/appliance"
)

// Colours of a terminal (ECMA-48, SGR).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// paint colours text on a terminal whose user has nothing against it (no-color.org).
func paint(out io.Writer, colour, text string) string {
	if colour == "" || terminal(out) == nil || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// stateColour is that of a board's state.
func stateColour(state string) string {
	switch state {
	case "up":
		return green
	case appliance.StateBooting:
		return yellow
	case appliance.StatePanic, appliance.StateLost, appliance.StateStuck:
		return red
	}
	return ""
}
