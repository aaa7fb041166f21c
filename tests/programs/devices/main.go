// Command devices uses parts as firmware does, through the ioctls of their devices, and prints
// what it finds: a TMP102 at 0x48 of /dev/i2c-1, the lines "out" and "in", a loop on
// /dev/spidev0.0, and the port /dev/ttyS1.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"backplane/firmware/gpiodev"
	"backplane/firmware/i2cdev"

	"golang.org/x/sys/unix"
)

func main() {
	for name, do := range map[string]func() error{"i2c": i2c, "smbus": smbus, "gpio": gpio, "spi": spi, "serial": serial, "machine": machine, "namespace": namespace, "renamed": renamed} {
		if len(os.Args) == 2 && os.Args[1] == name {
			if err := do(); err != nil {
				fmt.Println(name, "failed:", err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Println("say i2c, smbus, gpio, spi, serial, machine or namespace")
	os.Exit(2)
}

func machine() error {
	var u unix.Utsname
	err := unix.Uname(&u)
	fmt.Println(unix.ByteSliceToString(u.Machine[:]))
	return err
}

// namespace has a child in namespaces of its own, as systemd makes them for services: what it does to its name
// and mounts is not the parent's.
func namespace() error {
	if err := unix.Sethostname([]byte("parent")); err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe", "renamed")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	out, err := child.Output()
	if err != nil {
		return fmt.Errorf("child: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	_, err = os.Stat("/sys/kernel")
	fmt.Printf("namespace %s: its child is %s, and /sys of it alone was covered: %v\n", name, out, err == nil)
	return nil
}

// renamed is what that child does.
func renamed() error {
	if err := errors.Join(unix.Sethostname([]byte("child")), unix.Mount("none", "/sys", "tmpfs", 0, "")); err != nil {
		return err
	}
	if _, err := os.Stat("/sys/kernel"); err == nil {
		return errors.New("/sys is not covered")
	}
	name, err := os.Hostname()
	fmt.Print(name)
	return err
}

func ioctl(f *os.File, request uintptr, p unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(p)); errno != 0 {
		return fmt.Errorf("%s: %s", f.Name(), unix.ErrnoName(errno))
	}
	return nil
}

// i2c reads by I2C_RDWR, also where nothing answers.
func i2c() error {
	chip, err := i2cdev.NewI2C(0x48, 1)
	if err != nil {
		return err
	}
	b, n, err := chip.ReadRegBytes(0, 2)
	if err != nil {
		return err
	}
	none, err := i2cdev.NewI2C(0x22, 1)
	if err != nil {
		return err
	}
	_, _, err = none.ReadRegBytes(0, 1)
	fmt.Printf("i2c %x %d, and where nothing is: %v\n", b, n, err)
	return nil
}

// Of Linux include/uapi/linux/i2c-dev.h.
const (
	i2cSlaveForce, i2cFuncs, i2cSMBus = 0x0706, 0x0705, 0x0720
	wordData                          = 3
)

type smbusData struct {
	read, command uint8
	size          uint32
	data          *uint16
}

// smbus reads a word by I2C_SMBUS.
func smbus() error {
	f, err := os.OpenFile("/dev/i2c-1", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var functions uint
	if err := ioctl(f, i2cFuncs, unsafe.Pointer(&functions)); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), i2cSlaveForce, 0x48); errno != 0 {
		return errno
	}
	var word uint16
	err = ioctl(f, i2cSMBus, unsafe.Pointer(&smbusData{read: 1, size: wordData, data: &word}))
	fmt.Printf("smbus %#x of functions %#x\n", word, functions)
	return err
}

// gpio drives a line and waits for an edge of another.
func gpio() error {
	out, err := gpiodev.Output("out", "devices", false)
	if err != nil {
		return err
	}
	in, err := gpiodev.Edges("in", "devices")
	if err != nil {
		return err
	}
	if err := out.Set(true); err != nil {
		return err
	}
	edge, err := in.Wait()
	if err != nil {
		return err
	}
	level, err := in.Get()
	fmt.Printf("gpio rising %v, then %v\n", edge.Rising, level)
	return errors.Join(err, in.Close(), out.Close())
}

// transfer is struct spi_ioc_transfer (Linux include/uapi/linux/spi/spidev.h).
type transfer struct {
	tx, rx         uint64
	len, hz        uint32
	delay          uint16
	bits, csChange uint8
	_              [4]uint8
}

// spi makes two transfers in one message.
func spi() error {
	const message2, mode32 = 0x40406b00, 0x40046b05
	f, err := os.OpenFile("/dev/spidev0.0", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	mode := uint32(1)
	if err := ioctl(f, mode32, unsafe.Pointer(&mode)); err != nil {
		return err
	}
	sent, got := [4]byte{1, 2, 0xfe, 0xff}, [4]byte{}
	list := [2]transfer{{len: 2, hz: 1e6, delay: 5, bits: 8, csChange: 1}, {len: 2, hz: 1e6, bits: 8}}
	for i := range list {
		list[i].tx, list[i].rx = uint64(uintptr(unsafe.Pointer(&sent[2*i]))), uint64(uintptr(unsafe.Pointer(&got[2*i])))
	}
	err = ioctl(f, message2, unsafe.Pointer(&list))
	fmt.Printf("spi %x\n", got)
	return err
}

// serial sets a port by termios2, which has rates as numbers, and RS-485.
func serial() error {
	const get2, set2, setRS485 = 0x802c542a, 0x402c542b, 0x542f
	f, err := os.OpenFile("/dev/ttyS1", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var t unix.Termios
	if err := ioctl(f, get2, unsafe.Pointer(&t)); err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.BOTHER
	t.Ispeed, t.Ospeed = 31250, 31250
	if err := ioctl(f, set2, unsafe.Pointer(&t)); err != nil {
		return err
	}
	if _, err := f.WriteString("hello, world, over a line of 31250 baud\n"); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.TCSBRK, 1); errno != 0 { // tcdrain(3)
		return errno
	}
	fmt.Printf("serial %d baud\n", t.Ospeed)
	var rs485 [8]uint32
	err = ioctl(f, setRS485, unsafe.Pointer(&rs485))
	return err
}
