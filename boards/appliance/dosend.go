package appliance

import (
	"errors"
	"fmt"

	"backplane/boards"
)

// Send types bytes on a console, or sends them to a UART, at its rate: its value as
// text, or its data.
var Send = &ActionKind{
	Name:    "send",
	Title:   "Send text to a UART, or type it on a console",
	Place:   &PlaceKind{Name: "console", Form: "CONSOLE", Doc: "board.uart; board alone for its main console", Check: (*boards.Appliance).CheckConsole},
	Value:   "TEXT",
	Example: "  backplane send controller.uart1 $'temp\\n'",
	Words:   func(x *Action) string { return fmt.Sprintf("send %q to %s", x.bytes(), x.Place) },
	do: func(r *Running, x *Action) error {
		m, t, err := r.terminal(x.Place)
		if err != nil {
			return err
		}
		m.domain.Do(func() {
			if !t.plugged() {
				err = errors.New("it is unplugged: nothing can be sent to it")
				return
			}
			err = t.Input(x.bytes())
		})
		if err != nil {
			return fmt.Errorf("%s: %w", x.Place, err)
		}
		return nil
	},
}

func (x *Action) bytes() []byte { return append([]byte(x.Value), x.Data...) }
