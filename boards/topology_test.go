package boards_test

import (
	"fmt"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

func TestTopologyMistakes(t *testing.T) {
	const at = "name = 'x'\ncpus = 8\n[topology]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", at, ""},
		{"all", at + "sockets = 2\nclusters = 2\ncores = 1\nthreads = 2\nl1i = { size = '32K', ways = 4 }\nl1d = { size = '48K', ways = 12, line_size = 32 }\nl2 = { size = '1M', shared_by = 'cluster' }\nl3 = { size = '12M' }", ""},
		{"cores that follow", at + "threads = 2", ""},
		{"too few places", at + "sockets = 2\ncores = 2", "b.toml:3:2: 2 sockets × 2 cores are 4 CPUs, but cpus is 8: they must be the same"},
		{"cpus left out", "name = 'x'\n[topology]\ncores = 2", "b.toml:2:2: 2 cores are 2 CPUs, but cpus is 1: they must be the same"},
		{"no whole number of cores", at + "sockets = 3", "b.toml:3:2: cpus is 8, which is no multiple of 3 sockets"},
		{"more sockets than CPUs", at + "sockets = 16", "b.toml:3:2: cpus is 8, which is no multiple of 16 sockets"},
		{"no threads", at + "threads = 0", "b.toml:4:1: threads is 0; it must be 1 to 256"},
		{"no cores", at + "cores = 0", "b.toml:4:1: cores is 0; it must be 1 to 256"},
		{"so many that they are few", at + "sockets = 4294967296\nclusters = 4294967296", "b.toml:4:1: sockets is 4294967296; it must be 1 to 256"},
		{"one mistake for bad cpus", "name = 'x'\ncpus = 0\n[topology]\ncores = 2", "b.toml:2:1: cpus is 0; it must be 1 to 256: a User Mode Linux kernel has no more"},
		{"another word", at + "dies = 2", `b.toml:4:1: unknown key "dies": there are clusters, cores, l1d, l1i, l2, l3, sockets, threads`},
		{"no size", at + "l1d = { ways = 8 }", `b.toml:4:1: l1d has no size: write size = "32K", for example`},
		{"an odd size", at + "l1d = { size = '1000' }", "b.toml:4:9: size is 1000; it must be a multiple of 1K up to 1G"},
		{"too large", at + "l1d = { size = '4G' }", "b.toml:4:9: size is 4G; it must be a multiple of 1K up to 1G"},
		{"a line of no power of two", at + "l1d = { size = '32K', line_size = 48 }", "b.toml:4:23: line_size is 48; it must be a power of two, 16 to 1024"},
		{"no lines", at + "l1d = { size = '32K', line_size = 0 }", "b.toml:4:23: line_size is 0; it must be a power of two, 16 to 1024"},
		{"more ways than lines", at + "l1d = { size = '1K', ways = 17 }", "b.toml:4:22: ways is 17; it must be 1 to 16, the lines of the cache"},
		{"no ways", at + "l1d = { size = '1K', ways = 0 }", "b.toml:4:22: ways is 0; it must be 1 to 16, the lines of the cache"},
		{"no whole number of sets", at + "l1d = { size = '32K', ways = 7 }", "b.toml:4:1: 32K is no multiple of 7 ways with lines of 64 bytes"},
		{"an unknown scope", at + "l1d = { size = '32K' }\nl2 = { size = '1M', shared_by = 'board' }", `b.toml:5:21: shared_by is "board"; it must be "core", "cluster" or "socket"`},
		{"a shared first cache", at + "l1d = { size = '32K', shared_by = 'socket' }", `b.toml:4:23: shared_by is "socket"; it must be "core": a first cache is a core's own`},
		{"narrower than the one before", at + "l1d = { size = '32K' }\nl2 = { size = '1M', shared_by = 'socket' }\nl3 = { size = '1M', shared_by = 'cluster' }",
			`b.toml:6:21: shared_by is "cluster", but the l2 before it is for a whole socket: a later cache is for no less`},
		{"no first cache", at + "l2 = { size = '1M' }\nl3 = { size = '4M' }", "b.toml:4:1: there is no l1i and no l1d: Linux knows caches from the first one on"},
	} {
		if diff := cmp.Diff(tt.want, mistakes(t, write(t, "b.toml", tt.text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestTopology: where CPUs are, and what is left out.
func TestTopology(t *testing.T) {
	a, err := boards.Load(write(t, "b.toml", "name = 'x'\ncpus = 24\n[topology]\nsockets = 2\nclusters = 3\nthreads = 2\nl1d = { size = '32K' }\nl3 = { size = '3M' }"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	topology := a.Board[0].Board.Topology
	got := fmt.Sprintf("%d cores", topology.Cores)
	for _, cpu := range []int{0, 1, 2, 4, 11, 12, 23} {
		got += fmt.Sprintf("\n%d: %v, core %d, cluster %d, socket %d", cpu, topology.CPU(cpu),
			topology.In(boards.Core, cpu), topology.In(boards.Cluster, cpu), topology.In(boards.Socket, cpu))
	}
	want := `2 cores
0: {0 0 0 0}, core 0, cluster 0, socket 0
1: {0 0 0 1}, core 0, cluster 0, socket 0
2: {0 0 1 0}, core 1, cluster 0, socket 0
4: {0 1 0 0}, core 2, cluster 1, socket 0
11: {0 2 1 1}, core 5, cluster 2, socket 0
12: {1 0 0 0}, core 6, cluster 3, socket 1
23: {1 2 1 1}, core 11, cluster 5, socket 1`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&boards.Cache{Size: 32 << 10, Ways: 8, LineSize: 64, SharedBy: boards.Core}, topology.L1d); diff != "" || topology.L1d.Sets() != 64 {
		t.Errorf("l1d of %d sets (-want +got):\n%s", topology.L1d.Sets(), diff)
	}
	if diff := cmp.Diff(&boards.Cache{Size: 3 << 20, Ways: 16, LineSize: 64, SharedBy: boards.Socket}, topology.L3); diff != "" || topology.L3.Sets() != 3072 {
		t.Errorf("l3 of %d sets (-want +got):\n%s", topology.L3.Sets(), diff)
	}
}
