// Package console is the consoles and serial ports of a board: virtio-console
// devices with one port (virtio 1.2 section 5.3; Linux
// drivers/char/virtio_console.c), each a /dev/hvcN in the guest.
//
// A [Console] passes bytes on as they come. A [UART] is a Console whose bytes
// take their time on a serial line. [Lines] cuts what a console says into lines.
package console
