// Command controllerd is the firmware of the controller board: it takes the
// sensor's readings from the network, keeps them in an EEPROM, switches a fan,
// and answers on a UART.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"backplane/firmware/gpiodev"
	"backplane/firmware/i2cdev"

	"github.com/tarm/serial"
)

type options struct {
	listen    string
	bus       int
	eeprom    uint
	tty       string
	baud      int
	onAt, off float64
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", ":5555", "where readings come in")
	flag.IntVar(&o.bus, "bus", 1, "I2C bus")
	flag.UintVar(&o.eeprom, "eeprom", 0x50, "address of the AT24C32")
	flag.StringVar(&o.tty, "tty", "/dev/ttyS1", "UART of the line protocol")
	flag.IntVar(&o.baud, "baud", 115200, "its rate")
	flag.Float64Var(&o.onAt, "on", 30, "temperature at which the fan goes on, in °C")
	flag.Float64Var(&o.off, "off", 27, "temperature at which it goes off")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "controllerd:", err)
		os.Exit(1)
	}
}

func complain(err error) { fmt.Fprintln(os.Stderr, "controllerd:", err) }

// staleAfter is how long a reading counts.
const staleAfter = 5 * time.Second

func run(o options) error {
	chip, err := i2cdev.NewI2C(uint8(o.eeprom), o.bus)
	if err != nil {
		return err
	}
	c := &controller{on: o.onAt, off: o.off, log: history{memory: eeprom{chip}}}
	if err := c.log.resume(); err != nil {
		complain(err)
	}
	readings, err := listen(o.listen)
	if err != nil {
		return err
	}
	port, err := serial.OpenPort(&serial.Config{Name: o.tty, Baud: o.baud, ReadTimeout: time.Second})
	if err != nil {
		return fmt.Errorf("open %s: %w", o.tty, err)
	}
	commands := lines(port)
	fan, led := output("fan"), output("led")
	alarms := levels("alarm_in")
	stale := time.NewTimer(staleAfter)
	shown := ""
	for {
		select {
		case text := <-readings:
			if err := c.reading(text); err != nil {
				complain(err)
				continue
			}
			stale.Reset(staleAfter)
		case text := <-commands:
			if _, err := io.WriteString(port, c.command(text)); err != nil {
				complain(err)
			}
		case level := <-alarms:
			set(led, level)
			fmt.Printf("alarm %t\n", level)
		case <-stale.C:
			c.stale()
			fmt.Println("stale")
		}
		set(fan, c.fan)
		if s := c.state(); s != shown {
			shown = s
			fmt.Println(s)
		}
	}
}

// listen tells of each datagram that comes in.
func listen(address string) (<-chan string, error) {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	c := make(chan string)
	go func() {
		buf := make([]byte, 1500)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				complain(err)
				return
			}
			c <- string(buf[:n])
		}
	}()
	return c, nil
}

// lines tells of each line that comes in on the UART. A read that times out
// gives nothing, and an end that is none.
func lines(port io.Reader) <-chan string {
	c := make(chan string)
	go func() {
		s := bufio.NewScanner(patient{port})
		for s.Scan() {
			c <- s.Text()
		}
		complain(fmt.Errorf("UART: %w", s.Err()))
	}()
	return c
}

// patient reads on where a read times out.
type patient struct{ io.Reader }

func (p patient) Read(b []byte) (int, error) {
	for {
		n, err := p.Reader.Read(b)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
	}
}

func output(name string) *gpiodev.Line {
	l, err := gpiodev.Output(name, "controllerd", false)
	if err != nil {
		complain(err)
	}
	return l
}

func set(l *gpiodev.Line, v bool) {
	if l == nil {
		return
	}
	if err := l.Set(v); err != nil {
		complain(err)
	}
}

// levels tells of each new level of an input line.
func levels(name string) <-chan bool {
	c := make(chan bool)
	l, err := gpiodev.Edges(name, "controllerd")
	if err != nil {
		complain(err)
		return c
	}
	go func() {
		for {
			e, err := l.Wait()
			if err != nil {
				complain(err)
				return
			}
			c <- e.Rising
		}
	}()
	return c
}

// eeprom is an AT24C32: an address of two bytes, pages of 32 bytes, and no
// acknowledge while it writes.
type eeprom struct{ chip *i2cdev.I2C }

func (e eeprom) read(address int, data []byte) error {
	return e.retry(func() error {
		return e.chip.Transfer(i2cdev.Msg{Data: []byte{byte(address >> 8), byte(address)}}, i2cdev.Msg{Read: true, Data: data})
	})
}

// write writes within a page.
func (e eeprom) write(address int, data []byte) error {
	return e.retry(func() error {
		return e.chip.Transfer(i2cdev.Msg{Data: append([]byte{byte(address >> 8), byte(address)}, data...)})
	})
}

// retry waits for the end of a write cycle, which takes 10 ms at most.
func (e eeprom) retry(f func() error) (err error) {
	for range 20 {
		if err = f(); err == nil {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return err
}
