// Command follow drives one GPIO line as another is, at each of its edges: `follow in
// out`, or the other way round: `follow -not in out`. Two of them make a ring.
package main

import (
	"fmt"
	"os"

	"backplane/firmware/gpiodev"
)

func main() {
	fmt.Fprintln(os.Stderr, "follow:", run(os.Args[1:]))
	os.Exit(1)
}

// run goes on until something goes wrong.
func run(args []string) error {
	invert := len(args) > 0 && args[0] == "-not"
	if invert {
		args = args[1:]
	}
	if len(args) != 2 {
		return fmt.Errorf("say [-not] IN OUT")
	}
	in, err := gpiodev.Edges(args[0], "follow")
	if err != nil {
		return err
	}
	out, err := gpiodev.Output(args[1], "follow", false)
	if err != nil {
		return err
	}
	level, err := in.Get()
	for err == nil {
		if err = out.Set(level != invert); err == nil {
			_, err = in.Wait()
		}
		if err == nil {
			level, err = in.Get()
		}
	}
	return err
}
