// Package pca954x models I2C switches, of which each channel is a bus.
package pca954x

import (
	"fmt"

	"backplane/periph"
	"backplane/periph/i2c"
	"backplane/simbus/wire"
)

// PCA9546 and PCA9548 are the I2C switches of NXP, which TI has as TCA9546A and TCA9548A.
// Each channel is a bus: what is on it stands in the board file with on = "NAME.CHANNEL".
// A channel is joined to the bus when the transaction that selects it is over.
var (
	PCA9546 = newPCA954x("pca9546", "NXP PCA9546A 4-channel I2C switch", "NXP PCA9546A revision 6.1, April 2014", 4)
	PCA9548 = newPCA954x("pca9548", "NXP PCA9548A 8-channel I2C switch", "NXP PCA9548A revision 5.1, April 2015", 8)
)

func newPCA954x(name, title, source string, channels int) *periph.Model {
	m := &periph.Model{
		Name:   name,
		Title:  title,
		Source: source,
		On:     []*periph.Mount{i2c.AtRange(0x70, 0x77)},
		Pins:   []periph.PinSpec{{Name: "reset", Doc: "RESET: low resets the chip and disconnects all channels; unconnected it is high"}},
		Properties: []periph.Spec{{Name: "channels", Kind: periph.Whole, Max: float64(int(1)<<channels - 1), ReadOnly: true,
			Doc: "the control register: a bit is set for each connected channel"}},
		Options: []periph.Spec{{Name: "idle_disconnect", Kind: periph.Switch,
			Doc: "the kernel disconnects the channel after each transaction (i2c-mux-idle-disconnect)"}},
		Kernel: []string{"CONFIG_I2C_MUX", "CONFIG_I2C_MUX_PCA954x"},
		New: func(env *periph.Env, _ *periph.Options) (periph.Chip, error) {
			c := &chip{env: env, reset: env.Pin("reset"), channels: make([]*i2c.Bus, channels)}
			for i := range c.channels {
				c.channels[i] = i2c.NewBus(fmt.Sprintf("%s.%d", env.Name, i))
			}
			c.reset.Watch(func(l wire.Level) {
				if l == wire.Low {
					c.control(0)
				}
			})
			return c, nil
		},
	}
	for i := range channels {
		m.Provides = append(m.Provides, periph.SocketSpec{Name: fmt.Sprint(i), Bus: i2c.BusName})
	}
	m.Node = func(o *periph.Options) periph.Node {
		n := periph.Node{Name: "i2c-mux", Compatible: []string{"nxp," + name}, Properties: []periph.NodeProperty{
			{Name: "#address-cells", Value: uint32(1)}, {Name: "#size-cells", Value: uint32(0)},
			{Name: "reset-gpios", Value: periph.PinRef{Pin: "reset", Flags: 1}}, // active low
			{Name: "i2c-mux-idle-disconnect", Value: o.Get("idle_disconnect").Bool()}}}
		for i := range channels {
			n.Children = append(n.Children, periph.Node{Name: "i2c", Unit: fmt.Sprint(i), Socket: fmt.Sprint(i), Properties: []periph.NodeProperty{
				{Name: "reg", Value: uint32(i)}, {Name: "#address-cells", Value: uint32(1)}, {Name: "#size-cells", Value: uint32(0)}}})
		}
		return n
	}
	return m
}

type chip struct {
	env      *periph.Env
	reset    *wire.Pin
	channels []*i2c.Bus
	powered  bool
	joined   uint8 // the control register
}

// Join joins the channels to the bus that the switch is on.
func (c *chip) Join(b *i2c.Bus) (leave func()) {
	var parts []func()
	for i, channel := range c.channels {
		parts = append(parts, b.Bridge(channel, func() bool { return c.joined>>i&1 == 1 }))
	}
	return func() {
		for _, part := range parts {
			part()
		}
	}
}

// Socket is a channel's bus.
func (c *chip) Socket(name string) any {
	for i, channel := range c.channels {
		if name == fmt.Sprint(i) {
			return channel
		}
	}
	return nil
}

func (c *chip) control(b uint8) {
	if b != c.joined {
		c.joined = b
		c.env.Changed("channels", periph.Num(float64(b)))
	}
}

// Transfer writes or reads the control register (section 6.2): of several bytes that are
// written the last one stays.
func (c *chip) Transfer(msgs []i2c.Msg) error {
	if !c.powered || c.reset.Level() == wire.Low {
		return i2c.ErrNoAck
	}
	control := c.joined
	for _, m := range msgs {
		for i := range m.Data {
			if m.Read {
				m.Data[i] = control
			} else {
				control = m.Data[i] & (1<<len(c.channels) - 1)
			}
		}
	}
	c.control(control)
	return nil
}

// Power also switches the pull-up of RESET, which needs one (section 6.3).
func (c *chip) Power(on bool) {
	c.powered = on
	if !on {
		c.control(0)
		c.reset.Drive(wire.Float)
		return
	}
	c.reset.Drive(wire.PullUp)
}

func (c *chip) Get(string) periph.Value { return periph.Num(float64(c.joined)) }

func (c *chip) Set(property string, _ periph.Value) error {
	return fmt.Errorf("%s follows what the guest writes: it cannot be set", property)
}

func (c *chip) Close() error { return nil }
