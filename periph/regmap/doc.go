// Package regmap makes a part out of its description: a register map in the
// board file stands for an I2C part that nobody has written a model of. A part
// has registers, which the guest sees; properties, which are fields of
// registers in physical units, and which the outside sees; and thresholds,
// which drive pins. Its model is named "registers":
//
//	[[i2c.chip]]
//	name = "temp0"
//	model = "registers"
//	address = 0x48
//	pins = { alert = "gpio0.alert" }
//	temperature = 21.5
//
//	[i2c.chip.registers]
//	compatible = ["ti,tmp102"]
//
//	[[i2c.chip.registers.register]]
//	name = "temperature"
//	address = 0
//	width = 16
//	access = "ro"
//
//	[[i2c.chip.registers.property]]
//	name = "temperature"
//	unit = "°C"
//	register = "temperature"
//	bits = "15:4"
//	signed = true
//	scale = 0.0625
//
//	[[i2c.chip.registers.threshold]]
//	pin = "alert"
//	property = "temperature"
//	above = 80.0
//	hysteresis = 5.0
//	active_low = true
//	open_drain = true
//
// On the bus a write sends the address of a register, most significant byte
// first, and then data for it; a read goes on from the address that was sent
// last. A byte takes effect when it is acknowledged. An address without a
// register reads as ff, the released bus, and does not acknowledge data.
package regmap
