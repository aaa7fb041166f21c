package bench

import (
	"fmt"
	"strconv"
	"time"

	"backplane/boards/appliance"
)

// links measures a serial line of 4 Mbaud with streams both ways, and a wire
// with an edge every 10 us: how much of it the clock carries, and what is lost.
func (b *bench) links() error {
	for _, virtual := range []bool{true, false} {
		if err := b.serial(virtual); err != nil {
			return err
		}
	}
	for _, delay := range []string{"1us", "0s"} {
		if err := b.edges(delay); err != nil {
			return err
		}
	}
	return nil
}

// linkBoard is a board that has room for an smp kernel.
func (b *bench) linkBoard(more string) string {
	return fmt.Sprintf("memory = \"96M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n%s", b.root, more)
}

// both runs a program on each of two boards that waits, then one on each (or on
// the first) that acts, and returns how long that took here and there.
func (b *bench) both(r *appliance.Running, wait, act map[string][]string) (wall, simulated time.Duration, err error) {
	var ends []func() (string, error)
	run := func(programs map[string][]string) error {
		for _, board := range r.Boards() {
			if args := programs[board]; args != nil {
				end, err := b.command(r, board, args...)
				if err != nil {
					return err
				}
				ends = append(ends, end)
			}
		}
		return nil
	}
	if err := run(wait); err != nil {
		return 0, 0, err
	}
	if _, err := b.advance(r, 300*time.Millisecond); err != nil {
		return 0, 0, err
	}
	begin, first := time.Now(), r.Now()
	if err := run(act); err != nil {
		return 0, 0, err
	}
	for _, end := range ends {
		if _, err := end(); err != nil { // what receives has compared it
			return 0, 0, err
		}
	}
	return time.Since(begin), r.Now().Sub(first), nil
}

func (b *bench) serial(virtual bool) error {
	const baud, count = 4_000_000, 4 << 20
	r, err := b.start(virtual, 2, b.linkBoard(fmt.Sprintf("[[serial]]\nname = \"uart1\"\ndevice = \"/dev/ttyS1\"\nbaud = %d\n", baud)),
		"[[serial]]\nname = \"link\"\nports = [\"b0.uart1\", \"b1.uart1\"]\n")
	if err != nil {
		return err
	}
	defer r.Close()
	flow, size := "-crtscts", strconv.Itoa(count)
	if !virtual {
		flow = "crtscts" // programs that a busy host lets wait
	}
	receive := []string{"load", "receive", "/dev/ttyS1", strconv.Itoa(baud), flow, size}
	transmit := []string{"load", "transmit", "/dev/ttyS1", strconv.Itoa(baud), flow, size}
	wall, simulated, err := b.both(r, map[string][]string{"b0": receive, "b1": receive}, map[string][]string{"b0": transmit, "b1": transmit})
	if err != nil {
		return err
	}
	b.row("4 Mbaud both ways: each way, "+clockName(virtual), count*10/simulated.Seconds()/1e6, 0, "Mbaud")
	if virtual {
		b.row("  simulated per wall s", simulated.Seconds()/wall.Seconds(), 0, "s/s")
	}
	lost := 0
	for _, board := range r.Boards() {
		n, _, err := r.Get(board + ".uart1.overrun")
		if err != nil {
			return err
		}
		k, err := strconv.Atoi(n)
		if err != nil {
			return err
		}
		lost += k
	}
	b.row("  bytes lost, of 8 MiB", float64(lost), 0, "")
	return nil
}

func (b *bench) edges(delay string) error {
	const count, period = 20_000, "10us"
	r, err := b.start(true, 2, b.linkBoard("[[gpio]]\nname = \"gpio0\"\nlines = [\"out\", \"in\"]\n"),
		fmt.Sprintf("[[wire]]\nname = \"w\"\nfrom = \"b0.gpio0.out\"\nto = \"b1.gpio0.in\"\ndelay = %q\n", delay))
	if err != nil {
		return err
	}
	defer r.Close()
	size := strconv.Itoa(count)
	wall, _, err := b.both(r, map[string][]string{"b1": {"load", "edges", "/dev/gpiochip0", "1", period, size}},
		map[string][]string{"b0": {"load", "toggle", "/dev/gpiochip0", "0", period, size}})
	if err != nil {
		return err
	}
	missed, _, err := r.Get("b1.gpio0.in.missed")
	if err != nil {
		return err
	}
	b.row("edges from board to board a second, wire of "+delay, count/wall.Seconds(), 0, "/s")
	n, err := strconv.ParseFloat(missed, 64)
	b.row("  edges missed, of "+size, n, 0, "")
	return err
}
