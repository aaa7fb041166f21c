// Package console is the consoles of a board: virtio-console devices with one port
// (virtio 1.2 section 5.3; Linux drivers/char/virtio_console.c), each a /dev/hvcN in the
// guest. A [Console] passes bytes on as they come.
package console
