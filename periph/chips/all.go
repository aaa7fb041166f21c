package chips

import (
	"backplane/periph"
	"backplane/periph/chips/at24c32"
	"backplane/periph/chips/bme280"
	"backplane/periph/chips/button"
	"backplane/periph/chips/ds3231"
	"backplane/periph/chips/ina219"
	"backplane/periph/chips/led"
	"backplane/periph/chips/lm75"
	"backplane/periph/chips/mcp23017"
	"backplane/periph/chips/pca954x"
	"backplane/periph/chips/pca9685"
	"backplane/periph/chips/pcf8574"
	"backplane/periph/chips/relay"
	"backplane/periph/chips/spiloopback"
	"backplane/periph/chips/w25n"
	"backplane/periph/chips/w25q"
)

// All lists every part that ships with Backplane.
var All = []*periph.Model{
	at24c32.Model,
	bme280.Model,
	button.Model,
	ds3231.Model,
	ina219.Model,
	lm75.LM75,
	led.Model,
	mcp23017.Model,
	pca954x.PCA9546,
	pca954x.PCA9548,
	pca9685.Model,
	pcf8574.Model,
	relay.Model,
	spiloopback.Model,
	lm75.TMP102,
	w25n.Model,
	w25q.W25Q128JV,
	w25q.W25Q64JV,
}
