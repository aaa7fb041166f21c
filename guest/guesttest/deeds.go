package guesttest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"backplane/guest"
)

// consoleBuffer is the size of a console's input buffers, in bytes.
const consoleBuffer = 1024

// uartHead is what is before the characters in an input buffer of a UART, in bytes.
const uartHead = 4

// openUART has a UART receive (firmware/kernel/patches, virtio_uart.h: VIRTIO_UART_RECEIVER),
// in the format that the board file gives it.
func (d *Device) openUART() {
	d.listen(uartHead+consoleBuffer, func(p []byte) { d.input = append(d.input, p[uartHead:]...) })
	d.Do(2, []byte{0: 1, 4: 1, 15: 0}, 0)
}

// mainConsole is the first console that a kernel finds.
const mainConsole = "console"

// Now is the kernel's time since its start.
func (k *Kernel) Now() time.Duration { return k.clock.now() }

// Device is that of a name.
func (k *Kernel) Device(name string) *Device {
	for _, d := range k.devices {
		if d.Name == name {
			return d
		}
	}
	panic(ended{fmt.Errorf("the device tree has no %s", name)})
}

// Write writes on a console or to a UART.
func (k *Kernel) Write(console string, p []byte) { k.Device(console).Do(1, p, 0) }

// Print writes a line on the board's console.
func (k *Kernel) Print(format string, args ...any) {
	k.Write(mainConsole, fmt.Appendf(nil, format+"\r\n", args...))
}

// Read reads what was typed on a console or has come to a UART, and waits until there is something.
func (k *Kernel) Read(console string) []byte {
	d := k.Device(console)
	k.Await(func() bool { return len(d.input) > 0 })
	p := d.input
	d.input = nil
	return p
}

// ReadLine reads a line of input, without its end.
func (k *Kernel) ReadLine(console string) string {
	d := k.Device(console)
	k.Await(func() bool { return bytes.ContainsAny(d.input, "\r\n") })
	end := bytes.IndexAny(d.input, "\r\n")
	line := string(d.input[:end])
	d.input = d.input[end+1:]
	return line
}

// Halt ends the kernel in order.
func (k *Kernel) Halt() { panic(ended{}) }

// Restart ends it so that it is started anew.
func (k *Kernel) Restart() { panic(ended{guest.ErrRestart}) }

// Die ends it as what it is not meant to.
func (k *Kernel) Die(why error) { panic(ended{why}) }

// Hang computes for ever: in virtual time the kernel's turn does not end.
func (k *Kernel) Hang() {
	for {
		k.hear(-1, never)
	}
}

// Panic says on the console that the kernel panics. It spins then.
func (k *Kernel) Panic(why string) {
	k.Print("[%12.6f] Kernel panic - not syncing: %s", k.Now().Seconds(), why)
	k.Hang()
}

// PanicEarly is a panic of a kernel that has no console: it says so on the host's side.
func (k *Kernel) PanicEarly(why string) {
	line := fmt.Sprintf("[%12.6f] Kernel panic - not syncing: %s", k.Now().Seconds(), why)
	k.last = []string{line}
	k.early.Store(true)
	if k.Config.Panics != nil {
		k.Config.Panics()
	}
	k.Hang()
}

// Messages of a gpiochip (virtio 1.3, section 5.18.6), and directions.
const (
	gpioSetDirection = 3
	gpioGetValue     = 4
	gpioSetValue     = 5
	gpioIRQType      = 6

	directionOut = 1
	directionIn  = 2

	edgeBoth = 3
)

func (d *Device) line(message, line, value int) byte {
	out := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, uint16(message)), uint16(line))
	reply := d.Do(0, binary.LittleEndian.AppendUint32(out, uint32(value)), 2)
	if len(reply) != 2 || reply[0] != 0 {
		d.k.must(fmt.Errorf("%s: message %d of line %d is answered by % x", d.Name, message, line, reply))
	}
	return reply[1]
}

// Drive makes a GPIO line an output of that level.
func (k *Kernel) Drive(chip string, line, level int) {
	d := k.Device(chip)
	d.line(gpioSetValue, line, level)
	d.line(gpioSetDirection, line, directionOut)
	d.line(gpioSetValue, line, level)
}

// Sense makes a GPIO line an input, and reads it.
func (k *Kernel) Sense(chip string, line int) (level int) {
	d := k.Device(chip)
	d.line(gpioSetDirection, line, directionIn)
	return int(d.line(gpioGetValue, line, 0))
}

// Arm makes a GPIO line an input whose edges are not lost from now on, before Edge is called.
func (k *Kernel) Arm(chip string, line int) {
	d := k.Device(chip)
	if d.armed == nil {
		d.armed = make(map[int]bool)
	}
	if !d.armed[line] {
		d.armed[line] = true
		d.line(gpioSetDirection, line, directionIn)
		d.line(gpioIRQType, line, edgeBoth)
	}
}

// Edge waits for the next change of a line's level.
func (k *Kernel) Edge(chip string, line int) {
	k.Arm(chip, line)
	k.Device(chip).Do(1, binary.LittleEndian.AppendUint16(nil, uint16(line)), 1)
}

// ReadRegister reads so many bytes of a register of an I2C chip, nil if that does not
// answer (virtio 1.3, section 5.17.6).
func (k *Kernel) ReadRegister(bus string, addr, register byte, size int) []byte {
	const failNext, read = 1, 2
	d := k.Device(bus)
	header := func(flags uint32) []byte { return append([]byte{addr << 1, 0, 0, 0}, u32s(flags)...) }
	if status := d.Do(0, append(header(failNext), register), 1); len(status) != 1 || status[0] != 0 {
		return nil
	}
	reply := d.Do(0, header(read), size+1)
	if len(reply) != size+1 || reply[size] != 0 {
		return nil
	}
	return reply[:size]
}

// netHeader is the size of struct virtio_net_hdr_v1, in bytes, and netBuffer that of what
// a NIC is given for a frame.
const (
	netHeader = 12
	netBuffer = netHeader + 1514
)

// Listen calls receive with each frame that comes to a NIC.
func (k *Kernel) Listen(nic string, receive func(frame []byte)) {
	k.Device(nic).listen(netBuffer, func(p []byte) {
		if len(p) > netHeader {
			receive(bytes.Clone(p[netHeader:]))
		}
	})
}

// Transmit sends a frame.
func (k *Kernel) Transmit(nic string, frame []byte) {
	k.Device(nic).Do(1, append(make([]byte, netHeader), frame...), 0)
}

// Carrier tells whether a NIC's link is up (struct virtio_net_config, field status).
func (k *Kernel) Carrier(nic string) bool { return k.Device(nic).Config(8)[6]&1 != 0 }

// MAC is a NIC's address.
func (k *Kernel) MAC(nic string) []byte { return k.Device(nic).Config(8)[:6] }
