package boards

import (
	"regexp"

	"backplane/periph"
)

var validDevice = regexp.MustCompile(`^/dev/[A-Za-z][A-Za-z0-9_]{0,30}$`)

// kernelDevices are nodes in /dev that every kernel has, or makes for what its programs do,
// and links that its init makes.
var kernelDevices = regexp.MustCompile(`^/dev/(autofs|console|fd|full|fuse|hvc0|kmsg|kvm|loop[0-9]+|mem|mtd[0-9]+(ro)?|mtdblock[0-9]+|net|null|port|ppp|` +
	`pps[0-9]+|ptmx|ptp[0-9]+|pts|random|rtc[0-9]*|shm|stderr|stdin|stdout|tty|urandom|vport[0-9]+p[0-9]+|watchdog[0-9]*|zero)$`)

func (c *checker) deviceName(at, name string) {
	if name == "" {
		return
	}
	at += ".device"
	switch {
	case !validDevice.MatchString(name):
		c.doc.Add(at, "device is %q; it must be a name in /dev, such as \"/dev/ttyS1\"", name)
	case kernelDevices.MatchString(name):
		c.doc.Add(at, "device is %q, which is the kernel's own: write another name, such as \"/dev/ttyS1\"", name)
	}
	if first, taken := c.devices[name]; taken {
		c.doc.Add(at, "the device %s is taken, in %s", name, first)
		return
	}
	c.devices[name] = c.doc.Where(at)
}

// foreignDevices finds controllers whose device is what the kernel or init calls another one,
// or may call one. The names of ttys must be known by then.
func (c *checker) foreignDevices() {
	owners := make(map[string]*Controller)
	kinds := make(map[*periph.ControllerKind]bool) // on the board
	own := func(name string, x *Controller) {
		if _, taken := owners[name]; !taken {
			owners[name] = x
		}
	}
	for _, x := range c.b.Controllers() {
		if x.Kind.Nodes != nil {
			kinds[x.Kind] = true
		}
		if _, ok := x.lines(); ok {
			own("/dev/"+x.Name, x)
		}
		if x.TTY != "" {
			own("/dev/"+x.TTY, x)
		}
	}
	for _, x := range c.b.Controllers() {
		if x.doc != c.doc || x.Device == "" || kernelDevices.MatchString(x.Device) {
			continue
		}
		if y := owners[x.Device]; y != nil && y != x && y.Device != x.Device {
			c.doc.Add(x.at+".device", "device is %q, which is %s: write another name", x.Device, y.called())
		}
		for k := range kinds {
			if k.Nodes.MatchString(x.Device) {
				c.doc.Add(x.at+".device", "device is %q, which is a name of a %s: write another", x.Device, k.Title)
			}
		}
	}
}

// called is the controller in a sentence.
func (c *Controller) called() string {
	if c.Kind.Always != "" {
		return "the board's " + c.Kind.Title
	}
	return "the " + c.Kind.Title + " " + c.Name
}
