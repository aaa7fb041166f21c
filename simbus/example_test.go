package simbus_test

import (
	"context"
	"fmt"
	"time"

	"backplane/simbus"
)

// Virtual time passes as fast as models have nothing to do: an hour takes no time.
func ExampleCalendar() {
	c := simbus.NewVirtual()
	defer c.Close()
	board, err := c.AddDomain("board")
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Subscribe(func(e *simbus.Event) { fmt.Printf("%s\n", e.AppendJSON(nil)) })
	simbus.After(board, time.Hour, func() {
		board.Emit(simbus.Event{Board: "board", Part: "gpio0", Kind: "gpio",
			Attrs: []simbus.Attr{simbus.Text("line", "alarm"), simbus.Int("number", 0), simbus.Int("level", 1)}})
	})
	if _, err := c.Advance(context.Background(), simbus.Time(2*time.Hour), nil); err != nil {
		fmt.Println(err)
	}
	// Output: {"t":3600000000000,"board":"board","part":"gpio0","kind":"gpio","line":"alarm","number":0,"level":1}
}

// A test can hold events against the description of their kind.
func ExampleKind_Check() {
	kind := &simbus.Kind{Name: "door", Doc: "a door was moved", Attrs: []simbus.KindAttr{{Key: "state", Values: []string{"open", "shut"}}}}
	fmt.Println(kind.Check(&simbus.Event{Kind: "door", Attrs: []simbus.Attr{simbus.Text("state", "ajar")}}))
	// Output: state of an event of kind "door" is "ajar"; it must be one of ["open" "shut"]
}
