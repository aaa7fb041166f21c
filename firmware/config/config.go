// Package config is what the simulator tells a board's init: a JSON file in the
// initial file system.
package config

import (
	"time"

	"golang.org/x/sys/unix"
)

// What stands for the address of an interface that gets one by DHCP, or whose kernel
// makes one of what a router advertises (RFC 4862).
const (
	DHCP  = "dhcp"
	SLAAC = "slaac"
)

// Path is where the file is in the guest.
const Path = "/etc/backplane/board.json"

// Board is what init has to do.
type Board struct {
	Hostname   string      `json:"hostname"`
	Devices    []Device    `json:"devices,omitempty"`
	Interfaces []Interface `json:"interfaces,omitempty"`
	GPIO       []Chip      `json:"gpio,omitempty"`
	Agent      string      `json:"agent"` // the agent's tty
	Init       string      `json:"init,omitempty"`
	Args       []string    `json:"args,omitempty"`
	Handover   bool        `json:"handover,omitempty"` // Init becomes process 1
	// Startup is how long after the kernel's start init begins at the earliest.
	Startup time.Duration `json:"startup,omitempty"`
	// Shutdown is how long programs have to end by themselves at power off.
	Shutdown time.Duration `json:"shutdown"`
	Root     *Root         `json:"root,omitempty"` // nil: the initial file system is the root
	Shares   []Share       `json:"shares,omitempty"`
	Emulator *Emulator     `json:"emulator,omitempty"` // of programs for another architecture
}

// Emulator is a program that runs those of another architecture, and what those begin with.
type Emulator struct {
	Path    string `json:"path"` // in the initial file system; init removes it
	Class   byte   `json:"class"`
	Machine uint16 `json:"machine"` // both as in elf(5)
}

// Root is a root file system on a disk.
type Root struct {
	Device   string `json:"device"` // /dev/vda2
	ReadOnly bool   `json:"readOnly,omitempty"`
	Options  string `json:"options,omitempty"` // of mount(2)
	// Overlay is where what is written goes instead: Memory, or a device. Empty: to Device.
	Overlay string `json:"overlay,omitempty"`
}

// Memory is the overlay that is gone when the board is off.
const Memory = "tmpfs"

// Tmp is the one of Mounts that an init system on a disk's root has where that says so.
const Tmp = "/tmp"

// Mounts are what init mounts, in that order; it makes folders that are not there.
var Mounts = []Mount{
	{"/proc", "proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"/sys", "sysfs", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"/dev", "devtmpfs", "devtmpfs", "mode=755", unix.MS_NOSUID},
	{"/dev/pts", "devpts", "devpts", "mode=620,gid=5", unix.MS_NOSUID | unix.MS_NOEXEC},
	{"/dev/shm", "tmpfs", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	{"/run", "tmpfs", "tmpfs", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
	{Tmp, "tmpfs", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
}

// Mount is a file system with its options and flags, as mount(2) has them.
type Mount struct {
	Dir    string  `json:"dir"`
	Source string  `json:"source"`
	FS     string  `json:"fs"`
	Data   string  `json:"data,omitempty"`
	Flags  uintptr `json:"flags,omitempty"`
}

// Share is a folder of the host.
type Share struct {
	Mount
	Place string `json:"place"` // of the controller, which may be unplugged
}

// Chip is a GPIO controller, whose name its gpiochip gets in /dev.
type Chip struct {
	Name  string `json:"name"`
	Place string `json:"place"` // of the controller, which may be unplugged
}

// Device is one more name for a device: Name, such as /dev/ttyS1, for Target,
// such as /dev/hvc1.
type Device struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	Hold   bool   `json:"hold,omitempty"`  // it is to be open for ever
	Place  string `json:"place,omitempty"` // of the controller, which may be unplugged
}

// Interface is a network interface to bring up.
type Interface struct {
	MAC       string   `json:"mac"`                 // finds it
	Name      string   `json:"name"`                // is given to it
	Addresses []string `json:"addresses,omitempty"` // with prefix lengths; or DHCP, SLAAC
	Gateways  []string `json:"gateways,omitempty"`  // at most one of IPv4 and one of IPv6
	DNS       []string `json:"dns,omitempty"`
	Place     string   `json:"place"` // of the controller, which may be unplugged
}
