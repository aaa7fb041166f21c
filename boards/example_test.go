package boards_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/periph/catalog"
)

// What is wrong with a file is said all at once, each with its place.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "sensor.toml")
	text := `name = "sensor"
memory = "64M"
[[i2c]]
name = "i2c0"
  [[i2c.chip]]
  name = "temp0"
  model = "tmp120"
  address = 0x48
[[serial]]
name = "uart1"
baud = 0
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, err = boards.Load(file, catalog.All)
	var problems tomlfile.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Printf("%s:%d:%d: %s\n", filepath.Base(p.File), p.Line, p.Col, p.Text)
		}
	}
	// Output:
	// sensor.toml:7:3: unknown model "tmp120": did you mean "tmp102"?
	// sensor.toml:11:1: baud is 0; it must be 50 to 12000000
}
