// Command slave reads a register as old programs do: I2C_SLAVE, then plain
// write and read on the bus's device. `slave 1 0x68 0 2` prints two bytes in hex.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const i2cSlaveForce = 0x0706 // I2C_SLAVE_FORCE: also where a driver is bound

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "slave:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("say BUS ADDRESS REGISTER COUNT")
	}
	var n [3]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(args[i+1], 0, 16); err != nil {
			return err
		}
	}
	f, err := os.OpenFile("/dev/i2c-"+args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetInt(int(f.Fd()), i2cSlaveForce, int(n[0])); err != nil {
		return err
	}
	if _, err := f.Write([]byte{byte(n[1])}); err != nil {
		return err
	}
	b := make([]byte, n[2])
	if _, err := f.Read(b); err != nil {
		return err
	}
	fmt.Printf("%x\n", b)
	return nil
}
