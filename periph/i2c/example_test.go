package i2c_test

import (
	"errors"
	"fmt"

	"backplane/periph/i2c"
)

// counter is a chip that counts how often it is read.
type counter byte

// Transfer fills reads in, and takes what is written for a new count.
func (c *counter) Transfer(msgs []i2c.Msg) error {
	for _, m := range msgs {
		for i := range m.Data {
			if m.Read {
				*c++
				m.Data[i] = byte(*c)
			} else {
				*c = counter(m.Data[i])
			}
		}
	}
	return nil
}

// A chip on a bus needs neither controller nor guest to be tried.
func ExampleBus() {
	bus := i2c.NewBus("i2c0")
	if err := bus.Attach(0x48, new(counter)); err != nil {
		fmt.Println(err)
		return
	}
	answer := make([]byte, 2)
	msgs := []i2c.Msg{{Data: []byte{0x20}}, {Read: true, Data: answer}} // one transaction: write, repeated START, read
	fmt.Println(bus.Transfer(0x48, msgs), i2c.Format(msgs))
	fmt.Println(errors.Is(bus.Transfer(0x49, msgs), i2c.ErrNoAck))
	// Output:
	// <nil> W 20 R 21 22
	// true
}
