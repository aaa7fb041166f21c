package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"backplane/simbus/ether"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
)

// TapConfig says which network interface of the host is the gateway.
type TapConfig struct {
	Name    string
	Tap     string // name of the tap interface; the host's choice if empty
	Bridge  string // the host's bridge that it is put on, if not empty
	Offload bool   // see Config
}

// Tap is a gateway that is a tap interface of the host (the kernel's
// Documentation/networking/tuntap.rst): its kernel does the rest.
type Tap struct {
	name   string // of the interface
	file   *os.File
	in     *inbox
	out    *Queue
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// vnetHeader is the size of struct virtio_net_hdr, which stands before each
// frame, in bytes; its numbers are the host's.
const vnetHeader = 10

// Flags of TUNSETOFFLOAD (linux/if_tun.h).
const tunOffloads = 0x01 | 0x02 | 0x04 // TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6

// siocBRADDIF is SIOCBRADDIF (linux/sockios.h).
const siocBRADDIF = 0x89a2

// OpenTap opens a tap interface, which must belong to the user or be made with
// CAP_NET_ADMIN. It is gone when the gateway is closed unless it was there before.
func OpenTap(cfg TapConfig) (*Tap, error) {
	name := cfg.Tap
	if name == "" {
		name = "bp%d"
	}
	fd, name, err := openTap(name, cfg.Offload)
	if err == nil && cfg.Bridge != "" {
		if err = joinBridge(cfg.Bridge, name); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", cfg.Name, err)
	}
	t := &Tap{name: name, file: os.NewFile(uintptr(fd), "/dev/net/tun"), out: newQueue()}
	t.in = newInbox(func(lost uint64) { t.out.put(dropped("out", lost)) })
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(context.Background())
	t.work.Add(2)
	go func() {
		defer t.work.Done()
		t.in.serve(ctx, func(v *buffer.View, _ bool) {
			_, _ = t.file.Write(v.AsSlice()) // what the host does not take is lost
			v.Release()
		})
	}()
	go func() {
		defer t.work.Done()
		t.read()
	}()
	return t, nil
}

func openTap(name string, offload bool) (fd int, used string, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, "", fmt.Errorf("tap interface %s: open /dev/net/tun: %w ('backplane doctor' says more)", name, err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	r, err := unix.NewIfreq(name)
	if err != nil {
		return fd, "", fmt.Errorf("tap interface %s: %w", name, err)
	}
	r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	switch err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r); {
	case errors.Is(err, unix.EPERM):
		return fd, "", fmt.Errorf("tap interface %s: %w: as root, make one of your own: ip tuntap add dev %s mode tap user %d && ip link set %s up",
			name, err, name, os.Getuid(), name)
	case errors.Is(err, unix.EBUSY):
		return fd, "", fmt.Errorf("tap interface %s: another program uses it", name)
	case err != nil:
		return fd, "", fmt.Errorf("tap interface %s: %w", name, err)
	}
	flags := 0
	if offload {
		flags = tunOffloads
	}
	if err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, flags); err != nil {
		return fd, "", fmt.Errorf("tap interface %s: set offloads: %w", name, err)
	}
	if err = bringUp(r.Name()); err != nil {
		return fd, "", fmt.Errorf("tap interface %s: bring it up: %w (as root: ip link set %s up)", name, err, r.Name())
	}
	return fd, r.Name(), nil
}

// CanTap tells whether this host has tap interfaces. Whether one may be made is
// another matter.
func CanTap() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	return unix.Close(fd)
}

// ifreq is a request about an interface, and a socket to make it on, which is the caller's to close.
func ifreq(name string) (socket int, r *unix.Ifreq, err error) {
	if r, err = unix.NewIfreq(name); err != nil {
		return -1, nil, err
	}
	socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return socket, r, err
}

// bringUp sets an interface up, which needs no rights if it is.
func bringUp(name string) error {
	s, r, err := ifreq(name)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	if r.Uint16()&unix.IFF_UP != 0 {
		return nil
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

func joinBridge(bridge, name string) error {
	s, r, err := ifreq(name)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	if err := unix.IoctlIfreq(s, unix.SIOCGIFINDEX, r); err != nil {
		return fmt.Errorf("tap interface %s: %w", name, err)
	}
	var req [40]byte // struct ifreq with a number
	copy(req[:unix.IFNAMSIZ-1], bridge)
	binary.NativeEndian.PutUint32(req[unix.IFNAMSIZ:], r.Uint32())
	switch _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(s), siocBRADDIF, uintptr(unsafe.Pointer(&req[0]))); e {
	case 0:
		return nil
	case unix.ENODEV, unix.EOPNOTSUPP:
		return fmt.Errorf("bridge %s: the host has no bridge of that name (as root: ip link add %s type bridge)", bridge, bridge)
	case unix.EPERM:
		return fmt.Errorf("bridge %s: %w: only root can put an interface on a bridge: as root, make a tap of your own, put it there (ip link set TAP master %s), and write tap = \"TAP\" instead", bridge, e, bridge)
	default:
		return fmt.Errorf("bridge %s: %w", bridge, e)
	}
}

// Interface is the name of the interface on the host.
func (t *Tap) Interface() string { return t.name }

// Out is what comes from outside.
func (t *Tap) Out() *Queue { return t.out }

// Deliver takes a frame from the segment, as [Gateway.Deliver] does.
func (t *Tap) Deliver(f *ether.Frame) error {
	var h [vnetHeader]byte
	putHeader(h[:], &f.Offload)
	t.in.put(h[:], f)
	return nil
}

func putHeader(h []byte, o *ether.Offload) {
	h[0], h[1] = o.Flags, o.GSOType
	for i, v := range [...]uint16{o.HeaderLen, o.GSOSize, o.ChecksumStart, o.ChecksumOffs} {
		binary.NativeEndian.PutUint16(h[2+2*i:], v)
	}
}

func getHeader(h []byte) ether.Offload {
	n := func(at int) uint16 { return binary.NativeEndian.Uint16(h[at:]) }
	return ether.Offload{Flags: h[0] & needsChecksum, GSOType: h[1], HeaderLen: n(2), GSOSize: n(4), ChecksumStart: n(6), ChecksumOffs: n(8)}
}

// maxTapFrame is the longest frame that the host may send, in bytes.
const maxTapFrame = 64<<10 + 64

// read puts what the host sends into the queue.
func (t *Tap) read() {
	buf := make([]byte, vnetHeader+maxTapFrame)
	for {
		n, err := t.file.Read(buf)
		if err != nil {
			return // closed, or the interface has gone
		}
		if n > vnetHeader {
			t.out.put(Item{Frame: &ether.Frame{Parts: [][]byte{append([]byte(nil), buf[vnetHeader:n]...)}, Offload: getHeader(buf)}})
		}
	}
}

// Close lets go of the interface.
func (t *Tap) Close() error {
	t.cancel()
	err := t.file.Close()
	t.work.Wait()
	t.out.close()
	return err
}
