// Command ledgerd is the firmware of two boards: one commits entries to its disk, and says
// so on a UART; the other hears that, and says after each power cut whether all are there.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/tarm/serial"
)

const baud = 115200

func main() {
	tty := flag.String("tty", "/dev/ttyS1", "UART between the two")
	disk := flag.String("disk", "", "disk of the ledger; without one it is the other board")
	period := flag.Duration("period", 5*time.Millisecond, "time between entries, on average")
	flag.Parse()
	port, err := serial.OpenPort(&serial.Config{Name: *tty, Baud: baud})
	if err == nil {
		if *disk == "" {
			err = listen(port)
		} else {
			err = keep(*disk, *period, port)
		}
	}
	fmt.Fprintln(os.Stderr, "ledgerd:", err)
	os.Exit(1)
}

// keep adds entries for ever, at times that chance chooses.
func keep(disk string, period time.Duration, port io.Writer) error {
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	l, err := openLedger(f, size)
	if err != nil {
		return err
	}
	say := func(what string) error {
		fmt.Println(what, l.last)
		_, err := fmt.Fprintf(port, "\n%s %d\n", what, l.last) // after what a cut has left of the line before
		return err
	}
	if err := say("found"); err != nil {
		return err
	}
	for {
		time.Sleep(rand.N(2 * period))
		if err := l.add(); err != nil {
			return err
		}
		if err := say("committed"); err != nil {
			return err
		}
	}
}

// listen says for ever what it finds.
func listen(port io.Reader) error {
	var w witness
	lines := bufio.NewScanner(port)
	for lines.Scan() {
		if verdict := w.hear(lines.Text()); verdict != "" {
			fmt.Println(verdict)
		}
	}
	return fmt.Errorf("the line has ended: %w", lines.Err())
}
