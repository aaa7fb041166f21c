package boards

import (
	"fmt"
	"slices"
	"strings"
)

// Topology is how a board's CPUs are arranged, in the words of device trees and lscpu(1).
// CPUs are numbered thread by thread, then core by core, cluster by cluster and socket by
// socket.
type Topology struct {
	Sockets  int    `toml:"sockets,omitempty" jsonschema:"minimum=1,maximum=256,default=1,description=Sockets (packages) of the board"`
	Clusters int    `toml:"clusters,omitempty" jsonschema:"minimum=1,maximum=256,default=1,description=Clusters of a socket"`
	Cores    int    `toml:"cores,omitempty" jsonschema:"minimum=1,maximum=256,description=Cores of a cluster; as many as cpus asks for if left out"`
	Threads  int    `toml:"threads,omitempty" jsonschema:"minimum=1,maximum=256,default=1,description=Threads of a core"`
	L1i      *Cache `toml:"l1i,omitempty" jsonschema:"description=First cache of a core for instructions"`
	L1d      *Cache `toml:"l1d,omitempty" jsonschema:"description=First cache of a core for data"`
	L2       *Cache `toml:"l2,omitempty" jsonschema:"description=Second cache"`
	L3       *Cache `toml:"l3,omitempty" jsonschema:"description=Third cache"`
}

// Cache is one of CPUs, or one of several like it.
type Cache struct {
	Size     Size  `toml:"size" jsonschema:"description=Size of one such cache; 1K to 1G"`
	Ways     int   `toml:"ways,omitempty" jsonschema:"minimum=1,description=Ways of associativity; 8 and for l3 16 if left out"`
	LineSize int   `toml:"line_size,omitempty" jsonschema:"minimum=16,maximum=1024,default=64,description=Size of a line in bytes"`
	SharedBy Scope `toml:"shared_by,omitempty" jsonschema:"enum=core,enum=cluster,enum=socket,description=Whose CPUs share one such cache: core if left out; and socket for l3"`
}

// Sets is how many lines of each way there are.
func (c *Cache) Sets() int { return int(c.Size) / (c.Ways * c.LineSize) }

// Scope is a part of a board's topology.
type Scope string

// The scopes, from the smallest.
const (
	Core    Scope = "core"
	Cluster Scope = "cluster"
	Socket  Scope = "socket"
)

var scopes = []Scope{Core, Cluster, Socket}

// The sizes of caches that can be told of.
const (
	minCache     = 1 << 10
	maxCache     = 1 << 30
	minCacheLine = 16
	maxCacheLine = 1024
)

// CPU is where a CPU is: its socket, the cluster there, and so on.
type CPU struct{ Socket, Cluster, Core, Thread int }

// CPU is where the CPU of a number is.
func (t *Topology) CPU(cpu int) (p CPU) {
	p.Thread, cpu = cpu%t.Threads, cpu/t.Threads
	p.Core, cpu = cpu%t.Cores, cpu/t.Cores
	p.Cluster, p.Socket = cpu%t.Clusters, cpu/t.Clusters
	return p
}

// In is which of the board's cores, clusters or sockets a CPU is in, counted from 0.
func (t *Topology) In(scope Scope, cpu int) int {
	n := t.Threads
	if scope != Core {
		n *= t.Cores
	}
	if scope == Socket {
		n *= t.Clusters
	}
	return cpu / n
}

// level is a cache and its key.
type level struct {
	key   string
	cache *Cache
}

func (t *Topology) levels() (list []level) {
	for _, l := range []level{{"l1i", t.L1i}, {"l1d", t.L1d}, {"l2", t.L2}, {"l3", t.L3}} {
		if l.cache != nil {
			list = append(list, l)
		}
	}
	return list
}

// topologyDefaults fills in what the file leaves out.
func (b *Board) topologyDefaults() {
	t := b.Topology
	if t == nil {
		return
	}
	one := func(key string, n *int) {
		if !b.doc.Has("topology." + key) {
			*n = 1
		}
	}
	one("sockets", &t.Sockets)
	one("clusters", &t.Clusters)
	one("threads", &t.Threads)
	if each := t.Sockets * t.Clusters * t.Threads; each > 0 && !b.doc.Has("topology.cores") {
		t.Cores = b.CPUs / each
	}
	for _, l := range t.levels() {
		at := "topology." + l.key
		if !b.doc.Has(at + ".ways") {
			l.cache.Ways = 8
			if l.key == "l3" {
				l.cache.Ways = 16
			}
		}
		if !b.doc.Has(at + ".line_size") {
			l.cache.LineSize = 64
		}
		if !b.doc.Has(at + ".shared_by") {
			l.cache.SharedBy = Core
			if l.key == "l3" {
				l.cache.SharedBy = Socket
			}
		}
	}
}

func (c *checker) topology() {
	t := c.b.Topology
	if t == nil {
		return
	}
	c.arrangement(t)
	inner := level{cache: &Cache{SharedBy: Core}}
	for _, l := range t.levels() {
		at := "topology." + l.key
		c.cache(at, l)
		switch scope := l.cache.SharedBy; {
		case !slices.Contains(scopes, scope):
			c.doc.Add(at+".shared_by", "shared_by is %q; it must be %q, %q or %q", scope, Core, Cluster, Socket)
		case strings.HasPrefix(l.key, "l1") && scope != Core:
			c.doc.Add(at+".shared_by", "shared_by is %q; it must be %q: a first cache is a core's own", scope, Core)
		case slices.Index(scopes, scope) < slices.Index(scopes, inner.cache.SharedBy):
			c.doc.Add(at+".shared_by", "shared_by is %q, but the %s before it is for a whole %s: a later cache is for no less", scope, inner.key, inner.cache.SharedBy)
		default:
			inner = l
		}
		if t.L1i == nil && t.L1d == nil {
			c.doc.Add(at, "there is no l1i and no l1d: Linux knows caches from the first one on")
			break
		}
	}
}

// arrangement checks that all CPUs have a place, and no place is left.
func (c *checker) arrangement(t *Topology) {
	counts := []struct {
		key string
		n   int
	}{{"sockets", t.Sockets}, {"clusters", t.Clusters}, {"cores", t.Cores}, {"threads", t.Threads}}
	product := 1
	var places []string
	for _, k := range counts {
		said := c.doc.Has("topology." + k.key)
		if said && (k.n < 1 || k.n > MaxCPUs) {
			c.doc.Add("topology."+k.key, "%s is %d; it must be 1 to %d", k.key, k.n, MaxCPUs)
			return
		}
		product *= k.n
		if said {
			places = append(places, fmt.Sprintf("%d %s", k.n, k.key))
		}
	}
	switch said := c.doc.Has("topology.cores"); {
	case product == c.b.CPUs || c.b.CPUs < 1:
	case said:
		c.doc.Add("topology", "%s are %d CPUs, but cpus is %d: they must be the same", strings.Join(places, " × "), product, c.b.CPUs)
	default:
		c.doc.Add("topology", "cpus is %d, which is no multiple of %s", c.b.CPUs, strings.Join(places, " × "))
	}
}

// cache checks the size of a cache and of what it consists of.
func (c *checker) cache(at string, l level) {
	switch x := l.cache; {
	case !c.doc.Has(at + ".size"):
		c.doc.Add(at, "%s has no size: write size = \"32K\", for example", l.key)
	case x.Size < minCache || x.Size > maxCache || x.Size%minCache != 0:
		c.doc.Add(at+".size", "size is %s; it must be a multiple of 1K up to %s", x.Size, Size(maxCache))
	case x.LineSize < minCacheLine || x.LineSize > maxCacheLine || x.LineSize&(x.LineSize-1) != 0:
		c.doc.Add(at+".line_size", "line_size is %d; it must be a power of two, %d to %d", x.LineSize, minCacheLine, maxCacheLine)
	case x.Ways < 1 || x.Ways > int(x.Size)/x.LineSize:
		c.doc.Add(at+".ways", "ways is %d; it must be 1 to %d, the lines of the cache", x.Ways, int(x.Size)/x.LineSize)
	case int(x.Size)%(x.Ways*x.LineSize) != 0:
		c.doc.Add(at, "%s is no multiple of %d ways with lines of %d bytes", x.Size, x.Ways, x.LineSize)
	}
}
