package fdt_test

import (
	"bytes"
	"os/exec"
	"testing"

	"backplane/boards/fdt"

	"github.com/google/go-cmp/cmp"
)

// TestBlob has dtc, the reference compiler, read what is written.
func TestBlob(t *testing.T) {
	var tree fdt.Tree
	tree.Root.Cells("#address-cells", 1).Strings("model", "test")
	gpio := tree.Root.Child("gpio").Bytes("gpio-controller", nil)
	bus := tree.Root.Child(fdt.Unit("i2c", 0x10)).Strings("compatible", "virtio,device22", "x")
	bus.Child(fdt.Unit("temperature-sensor", 0x48)).Cells("reg", 0x48).Cells("gpios", tree.Phandle(gpio), 3, 1).Bytes("raw", []byte{1, 2, 3})
	if tree.Phandle(gpio) != 1 {
		t.Errorf("a second question gave phandle %d", tree.Phandle(gpio))
	}

	cmd := exec.Command("dtc", "-I", "dtb", "-O", "dts", "-q", "-")
	cmd.Stdin = bytes.NewReader(tree.Blob())
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("dtc: %v", err)
	}
	const want = `/dts-v1/;

/ {
	#address-cells = <0x01>;
	model = "test";

	gpio {
		gpio-controller;
		phandle = <0x01>;
	};

	i2c@10 {
		compatible = "virtio,device22\0x";

		temperature-sensor@48 {
			reg = <0x48>;
			gpios = <0x01 0x03 0x01>;
			raw = [01 02 03];
		};
	};
};
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("as dtc reads it (-want +got):\n%s", diff)
	}
}
