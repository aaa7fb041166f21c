// Package gpio is the GPIO controller that the guest sees as a gpiochip: a
// virtio-gpio device with interrupts (virtio 1.2 section 5.18; Linux
// drivers/gpio/gpio-virtio.c).
//
// A [Controller] has lines. Each line is a [wire.Wire] to which the
// controller has soldered a pin of its own; chips solder theirs beside it. A
// line that the guest has made an output is driven push-pull, any other floats.
package gpio
