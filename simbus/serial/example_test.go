package serial_test

import (
	"context"
	"fmt"
	"time"

	"backplane/simbus"
	"backplane/simbus/serial"
)

// Two boards are joined by a cable. One sends 8E1, and the other expects 7E1.
func Example() {
	cal := simbus.NewVirtual()
	defer cal.Close()
	var ends [2]serial.End
	for i, name := range []string{"controller", "sensor"} {
		board, err := cal.AddDomain(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		ends[i] = serial.End{Port: serial.NewPort(board), Domain: board}
	}
	serial.Join(ends[0], ends[1], serial.Cable{})
	from, to := ends[0], ends[1]
	to.Port.OnReceive = func(r serial.Received) { fmt.Printf("%s %q %s\n", r.End, r.Data, r.Flags) }
	f := serial.EightN1(serial.Baud(115_200))
	f.Parity = serial.Even
	from.Domain.Do(func() { from.Port.SetFormat(f); from.Port.Transmit([]byte("A")) })
	f.Data = 7
	to.Domain.Do(func() { to.Port.SetFormat(f) })
	if _, err := cal.Advance(context.Background(), simbus.Time(time.Second), nil); err != nil {
		fmt.Println(err)
	}
	// Output: 0.000086805s "A" framing
}
