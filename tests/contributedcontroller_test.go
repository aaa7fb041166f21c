package tests

import "testing"

// TestContributedController follows what CONTRIBUTING.md says of a controller.
func TestContributedController(t *testing.T) {
	c := contribute(t, "## A controller", "periph/noise/noise.go", "periph/catalog/catalog.go", "\t\tcan.Kind,\n", "\t\tnoise.Kind,\n",
		insertion{"periph/catalog/catalog.go", "\t\"backplane/periph/rng\"\n", "\t\"backplane/periph/noise\"\n"})
	c.write("b.toml", "name = \"b\"\n[[noise]]\nname = \"trng\"\nbyte = 97\n")
	c.write("bad.toml", "name = \"b\"\n[[noise]]\nname = \"trng\"\nbyte = 256\n")
	c.write("key.toml", "name = \"b\"\n[[noise]]\nname = \"trng\"\nbite = 1\n")
	c.write("s.toml", `appliance = "b.toml"

[[step]]
name = "the kernel's driver takes what it gives"
exec = { board = "b", command = ["sh", "-c", "echo virtio_rng.0 >/sys/class/misc/hw_random/rng_current && head -c 4 /dev/hwrng"], output = "^aaaa$" }
`)
	c.says("bad.toml:4:1: byte is 256; it must be 0 to 255", "check", "bad.toml")
	c.says(`key.toml:4:1: unknown key "bite": did you mean "byte"?`, "check", "key.toml")
	c.says(`"What all bytes are"`, "schema", "board")
	c.says("[[noise]]", "parts")
	c.says("PASSED", "run", "--out", "r", "s.toml")
	c.says("SAME", "replay", "r")
}
