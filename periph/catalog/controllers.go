package catalog

import (
	"slices"

	"backplane/periph"
)

// others describe the controllers that are no kinds of the catalog yet.
var others = []*periph.ControllerKind{
	{Table: "ethernet", Title: "Ethernet port", Source: "virtio 1.2 section 5.1; Linux drivers/net/virtio_net.c", Kernel: []string{"CONFIG_VIRTIO_NET"}},
	{Always: "rng", Title: "source of randomness", Source: "virtio 1.2 section 5.4; Linux drivers/char/hw_random/virtio-rng.c",
		Kernel: []string{"CONFIG_HW_RANDOM", "CONFIG_HW_RANDOM_VIRTIO"}},
}

// Controllers are all kinds of controllers that boards have. Some are on every board
// without a table.
func Controllers() []*periph.ControllerKind { return slices.Concat(All.Controllers, others) }

// otherLinks are no kinds of the catalog: they lead out of the appliance.
var otherLinks = []*periph.LinkKind{
	{Table: "gateway", Title: "gateway from a segment to the world outside", Source: "RFC 2131 (DHCP), RFC 3022 (NAT), RFC 4861 (router advertisements), RFC 1035 (DNS)"},
}

// Links are all kinds of links between boards, and from boards to the world outside.
func Links() []*periph.LinkKind { return slices.Concat(All.Links, otherLinks) }
