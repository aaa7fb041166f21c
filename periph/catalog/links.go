package catalog

import (
	"slices"

	"backplane/periph"
)

// otherLinks are no kinds of the catalog: they lead out of the appliance.
var otherLinks = []*periph.LinkKind{
	{Table: "gateway", Title: "gateway from a segment to the world outside", Source: "RFC 2131 (DHCP), RFC 3022 (NAT), RFC 4861 (router advertisements), RFC 1035 (DNS)"},
}

// Links are all kinds of links between boards, and from boards to the world outside.
func Links() []*periph.LinkKind { return slices.Concat(All.Links, otherLinks) }
