package boards

import (
	"fmt"
	"regexp"
	"strconv"
)

// ttyName is a name that the driver of a renamed controller takes: what a SoC's driver calls
// its ports, and a number.
var ttyName = regexp.MustCompile(`^/dev/(tty[A-Za-z]{1,8})([0-9]{1,3})$`)

// maxTTY is the highest number of a port (firmware/kernel/patches, virtio_uart: VU_PORTS).
const maxTTY = 31

// ttys finds out what the kernel calls each controller that has a name in /dev. Most drivers
// count; to others the device tree gives the board file's name, or the lowest number that is
// free.
func (c *checker) ttys() {
	taken := make(map[string]bool)
	aliases := make(map[string]bool)
	give := func(x *Controller, name string, number int) {
		x.TTY = fmt.Sprint(name, number)
		taken[x.TTY] = true
		if alias := fmt.Sprint(x.Kind.Table, number); x.Kind.Renamed && !aliases[alias] {
			x.alias, aliases[alias] = alias, true
		}
	}
	for _, x := range c.b.Controllers() {
		if x.TTY != "" { // it was there before
			taken[x.TTY] = true
			continue
		}
		if x.late {
			continue // the device tree says nothing of it
		}
		m := ttyName.FindStringSubmatch(x.Device)
		if !x.Kind.Renamed || m == nil {
			continue
		}
		number, _ := strconv.Atoi(m[2]) // of digits
		if number > maxTTY {
			c.doc.Add(x.at+".device", "device is %q; its number must be 0 to %d", x.Device, maxTTY)
		}
		if m[2] != strconv.Itoa(number) {
			c.doc.Add(x.at+".device", "device is %q; its driver calls it \"/dev/%s%d\"", x.Device, m[1], number)
		}
		give(x, m[1], number)
	}
	for _, x := range c.b.Controllers() {
		if x.Kind.Device == "" || x.TTY != "" {
			continue
		}
		n := 0
		for taken[fmt.Sprint(x.Kind.Device, n)] {
			n++
		}
		give(x, x.Kind.Device, n)
	}
}
