package catalog

import (
	"slices"

	"backplane/periph"
)

// others describe the controllers that are no kinds of the catalog yet.
var others = []*periph.ControllerKind{
	{Table: "gpio", Title: "GPIO controller", Source: "virtio 1.2 section 5.18; Linux drivers/gpio/gpio-virtio.c", Chips: true,
		Kernel: []string{"CONFIG_GPIOLIB", "CONFIG_GPIO_VIRTIO", "CONFIG_GPIO_SYSFS", "CONFIG_GPIO_CDEV",
			"CONFIG_GPIO_CDEV_V1"}}, // in which Debian 12's gpiod speaks
	{Table: "serial", Title: "serial port", Source: console, Kernel: []string{"CONFIG_VIRTIO_CONSOLE"}},
	{Table: "console", Title: "console", Source: console, Kernel: []string{"CONFIG_VIRTIO_CONSOLE"}},
	{Table: "ethernet", Title: "Ethernet port", Source: "virtio 1.2 section 5.1; Linux drivers/net/virtio_net.c", Kernel: []string{"CONFIG_VIRTIO_NET"}},
	{Title: "source of randomness, on every board", Source: "virtio 1.2 section 5.4; Linux drivers/char/hw_random/virtio-rng.c",
		Kernel: []string{"CONFIG_HW_RANDOM", "CONFIG_HW_RANDOM_VIRTIO"}},
}

const console = "virtio 1.2 section 5.3; Linux drivers/char/virtio_console.c"

// Controllers are all kinds of controllers that boards have. One without a table is on
// every board.
func Controllers() []*periph.ControllerKind {
	list := slices.Clone(All.Controllers)
	for _, k := range others {
		if _, ok := All.Controller(k.Table); !ok {
			list = append(list, k)
		}
	}
	return list
}

// Link is a kind of link between boards, or from boards to the world outside.
type Link struct {
	Table  string // of an appliance file: "segment" for [[segment]]
	Title  string
	Source string // what it is like, or by which rules it goes
}

// Links are all kinds of links.
var Links = []Link{
	{"segment", "Ethernet segment: a switch with VLANs, or a plain cable", "IEEE 802.3 and 802.1Q"},
	{"serial", "serial link from UART to UART", "none: a null-modem cable"},
	{"wire", "wire from GPIO line to GPIO line", "none: a wire with a delay"},
	{"gateway", "gateway from a segment to the world outside", "RFC 2131 (DHCP), RFC 3022 (NAT), RFC 4861 (router advertisements), RFC 1035 (DNS)"},
}
