package appliance

import (
	"fmt"

	"backplane/boards"
	"backplane/boards/fdt"
)

// cpuNodes describes the CPUs that a board's kernel has: Devicetree Specification v0.4
// sections 3.7 to 3.9, and the devicetree schema's cpu-map, which Linux reads. A kernel with
// one CPU needs it only for caches.
func cpuNodes(t *fdt.Tree, topology *boards.Topology, cpus int) {
	if cpus == 1 && topology == nil {
		return
	}
	all := t.Root.Child("cpus")
	all.Cells("#address-cells", 1).Cells("#size-cells", 0)
	nodes := make([]*fdt.Node, cpus)
	for i := range nodes {
		nodes[i] = all.Child(fdt.Unit("cpu", uint64(i)))
		nodes[i].Strings("device_type", "cpu").Cells("reg", uint32(i))
	}
	if topology == nil {
		return // each is a core of one socket
	}
	cpuMap(t, all.Child("cpu-map"), topology, nodes)
	cpuCaches(t, all, topology, nodes)
}

func cpuMap(t *fdt.Tree, root *fdt.Node, topology *boards.Topology, cpus []*fdt.Node) {
	var socket, cluster, core *fdt.Node
	for i, cpu := range cpus {
		at := topology.CPU(i)
		if at.Cluster == 0 && at.Core == 0 && at.Thread == 0 {
			socket = root.Child(fmt.Sprintf("socket%d", at.Socket))
		}
		if at.Core == 0 && at.Thread == 0 {
			cluster = socket.Child(fmt.Sprintf("cluster%d", at.Cluster))
		}
		if at.Thread == 0 {
			core = cluster.Child(fmt.Sprintf("core%d", at.Core))
		}
		leaf := core
		if topology.Threads > 1 {
			leaf = core.Child(fmt.Sprintf("thread%d", at.Thread))
		}
		leaf.Cells("cpu", t.Phandle(cpu))
	}
}

// cpuCaches puts a core's first caches into the nodes of its CPUs. Each other cache has a
// node, to which those before it lead.
func cpuCaches(t *fdt.Tree, all *fdt.Node, topology *boards.Topology, cpus []*fdt.Node) {
	before := cpus // of each CPU, the node that leads to the next cache
	for _, cpu := range cpus {
		cacheProperties(cpu, "i-", topology.L1i)
		cacheProperties(cpu, "d-", topology.L1d)
	}
	for i, cache := range []*boards.Cache{topology.L2, topology.L3} {
		if cache == nil {
			continue
		}
		level := i + 2
		nodes, leads := make([]*fdt.Node, len(cpus)), make(map[*fdt.Node]bool)
		for cpu := range cpus {
			in := topology.In(cache.SharedBy, cpu)
			if cpu > 0 && topology.In(cache.SharedBy, cpu-1) == in {
				nodes[cpu] = nodes[cpu-1]
			} else {
				nodes[cpu] = all.Child(fmt.Sprintf("l%d-cache%d", level, in))
				nodes[cpu].Strings("compatible", "cache").Cells("cache-level", uint32(level)).Bytes("cache-unified", nil)
				cacheProperties(nodes[cpu], "", cache)
			}
			if from := before[cpu]; !leads[from] {
				leads[from] = true
				from.Cells("next-level-cache", t.Phandle(nodes[cpu]))
			}
		}
		before = nodes
	}
}

func cacheProperties(n *fdt.Node, prefix string, c *boards.Cache) {
	if c == nil {
		return
	}
	n.Cells(prefix+"cache-size", uint32(c.Size)).Cells(prefix+"cache-line-size", uint32(c.LineSize)).Cells(prefix+"cache-sets", uint32(c.Sets()))
}
