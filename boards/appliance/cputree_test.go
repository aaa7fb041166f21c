package appliance

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/boards/fdt"

	"github.com/google/go-cmp/cmp"
)

// TestCPUNodes has dtc read what boards' CPUs are described by, and warn of what it finds.
func TestCPUNodes(t *testing.T) {
	first := &boards.Cache{Size: 32 << 10, Ways: 8, LineSize: 64, SharedBy: boards.Core}
	l2 := &boards.Cache{Size: 1 << 20, Ways: 16, LineSize: 64, SharedBy: boards.Cluster}
	l3 := &boards.Cache{Size: 12 << 20, Ways: 16, LineSize: 64, SharedBy: boards.Socket}
	for _, tt := range []struct {
		name     string
		topology *boards.Topology
		cpus     int
		want     string
	}{
		{"one CPU", nil, 1, ""},
		{"no topology", nil, 2, `
	cpus {
		#address-cells = <0x01>;
		#size-cells = <0x00>;

		cpu@0 {
			device_type = "cpu";
			reg = <0x00>;
		};

		cpu@1 {
			device_type = "cpu";
			reg = <0x01>;
		};
	};
`},
		// Of four CPUs there are three, as if time were virtual.
		{"sockets, threads and caches", &boards.Topology{Sockets: 2, Clusters: 1, Cores: 1, Threads: 2, L1i: first, L1d: first, L2: l2, L3: l3}, 3, `
	cpus {
		#address-cells = <0x01>;
		#size-cells = <0x00>;

		cpu@0 {
			device_type = "cpu";
			reg = <0x00>;
			phandle = <0x01>;
			i-cache-size = <0x8000>;
			i-cache-line-size = <0x40>;
			i-cache-sets = <0x40>;
			d-cache-size = <0x8000>;
			d-cache-line-size = <0x40>;
			d-cache-sets = <0x40>;
			next-level-cache = <0x04>;
		};

		cpu@1 {
			device_type = "cpu";
			reg = <0x01>;
			phandle = <0x02>;
			i-cache-size = <0x8000>;
			i-cache-line-size = <0x40>;
			i-cache-sets = <0x40>;
			d-cache-size = <0x8000>;
			d-cache-line-size = <0x40>;
			d-cache-sets = <0x40>;
			next-level-cache = <0x04>;
		};

		cpu@2 {
			device_type = "cpu";
			reg = <0x02>;
			phandle = <0x03>;
			i-cache-size = <0x8000>;
			i-cache-line-size = <0x40>;
			i-cache-sets = <0x40>;
			d-cache-size = <0x8000>;
			d-cache-line-size = <0x40>;
			d-cache-sets = <0x40>;
			next-level-cache = <0x05>;
		};

		cpu-map {

			socket0 {

				cluster0 {

					core0 {

						thread0 {
							cpu = <0x01>;
						};

						thread1 {
							cpu = <0x02>;
						};
					};
				};
			};

			socket1 {

				cluster0 {

					core0 {

						thread0 {
							cpu = <0x03>;
						};
					};
				};
			};
		};

		l2-cache0 {
			compatible = "cache";
			cache-level = <0x02>;
			cache-unified;
			cache-size = <0x100000>;
			cache-line-size = <0x40>;
			cache-sets = <0x400>;
			phandle = <0x04>;
			next-level-cache = <0x06>;
		};

		l2-cache1 {
			compatible = "cache";
			cache-level = <0x02>;
			cache-unified;
			cache-size = <0x100000>;
			cache-line-size = <0x40>;
			cache-sets = <0x400>;
			phandle = <0x05>;
			next-level-cache = <0x07>;
		};

		l3-cache0 {
			compatible = "cache";
			cache-level = <0x03>;
			cache-unified;
			cache-size = <0xc00000>;
			cache-line-size = <0x40>;
			cache-sets = <0x3000>;
			phandle = <0x06>;
		};

		l3-cache1 {
			compatible = "cache";
			cache-level = <0x03>;
			cache-unified;
			cache-size = <0xc00000>;
			cache-line-size = <0x40>;
			cache-sets = <0x3000>;
			phandle = <0x07>;
		};
	};
`},
	} {
		var tree fdt.Tree
		cpuNodes(&tree, tt.topology, tt.cpus)
		cmd := exec.Command("dtc", "-I", "dtb", "-O", "dts", "-")
		cmd.Stdin = bytes.NewReader(tree.Blob())
		var warnings bytes.Buffer
		cmd.Stderr = &warnings
		got, err := cmd.Output()
		if err != nil || strings.Contains(warnings.String(), "cpu") {
			t.Errorf("%s: dtc: %v: %s", tt.name, err, &warnings)
		}
		if diff := cmp.Diff("/dts-v1/;\n\n/ {\n"+tt.want+"};\n", string(got)); diff != "" {
			t.Errorf("%s: as dtc reads it (-want +got):\n%s", tt.name, diff)
		}
	}
}
