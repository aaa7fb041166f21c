package appliance

import (
	"cmp"
	"fmt"

	"backplane/boards"
	"backplane/periph"
)

// Set sets a property, drives a GPIO line from outside with 0 and 1 and lets it go with
// "float", or changes a network at once ("lan.latency", "lan:sensor.eth0.tx.loss").
var Set = &ActionKind{
	Name:  "set",
	Title: "Set a property, drive a line, change a network",
	Place: &PlaceKind{Name: "action", Form: "PROPERTY", Doc: "board.part.property, board.controller.line or segment.property", Check: func(a *boards.Appliance, place string) error {
		p, err := a.Property(place)
		if err == nil && p.ReadOnly() {
			err = fmt.Errorf("%s: %w", place, p.CheckSet("", false))
		}
		return err
	}},
	Value:   "VALUE",
	Example: "  backplane set sensor.temp0.temperature -20\n  backplane set sensor.gpio0.alarm 0\n  backplane set lan.loss 0.01",
	Words:   func(x *Action) string { return fmt.Sprintf("set %s = %s", x.Place, cmp.Or(x.Value, `""`)) },
	CheckValue: func(a *boards.Appliance, place, value string) error {
		p, err := a.Property(place)
		if err == nil {
			err = p.CheckSet(value, true)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		return nil
	},
	do: func(r *Running, x *Action) error { return r.set(x.Place, x.Value) },
}

// Press presses a button, for so many milliseconds.
var Press = &ActionKind{
	Name:  "press",
	Title: "Press a button, and release it",
	Place: &PlaceKind{Name: "button", Form: "BOARD.BUTTON", Doc: "board.button", Check: func(a *boards.Appliance, place string) error {
		p, err := a.Property(place + pressed)
		if err == nil && p.Kind() != periph.Action {
			err = fmt.Errorf("%s is not a button", place)
		}
		return err
	}},
	CheckValue: func(a *boards.Appliance, place, value string) error {
		p, err := a.Property(place + pressed)
		if err == nil {
			err = p.CheckSet(value, true)
		}
		return err
	},
	do: func(r *Running, x *Action) error { return r.set(x.Place+pressed, x.Value) },
}

// pressed is what of a button is set to press it.
const pressed = ".press"
