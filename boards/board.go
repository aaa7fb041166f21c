// Package boards describes machines: board and appliance files, what may be wrong in
// them, and what their names lead to. Package appliance runs what is described here.
package boards

import (
	"sync/atomic"

	"backplane/boards/tomlfile"
	"backplane/guest"
	"backplane/periph"
	ethernet "backplane/periph/net"
	"backplane/periph/regmap"
)

// Board is one board file.
type Board struct {
	Name     string        `toml:"name" jsonschema:"description=Name of the board unless an appliance gives it another"`
	Doc      string        `toml:"doc,omitempty" jsonschema:"description=One line for people"`
	CPUs     int           `toml:"cpus,omitempty" jsonschema:"minimum=1,maximum=256,default=1,description=CPUs of the board; a virtual clock gives it one"`
	Topology *Topology     `toml:"topology,omitempty" jsonschema:"description=How the CPUs are arranged and their caches; one socket with a core for each CPU if left out"`
	Memory   Size          `toml:"memory,omitempty" jsonschema:"default=64M,description=Main memory"`
	Backing  guest.Backing `toml:"backing,omitempty" jsonschema:"enum=ram,enum=file,description=What the memory is in on the host: ram or a sparse file (file) that the host pages out; ram if left out unless boards' memory together is more than the host has"`
	Time     Timing        `toml:"time,omitempty" jsonschema:"description=How long things take in virtual time"`
	Firmware Firmware      `toml:"firmware,omitempty" jsonschema:"description=What runs on the board"`
	Spares   int           `toml:"spares,omitempty" jsonschema:"minimum=0,maximum=64,default=4,description=How many controllers that this file does not have can be plugged at a time"`

	Chip []Chip `toml:"chip,omitempty" jsonschema:"description=Parts that name the controller or the channel that they are on"`

	// Tables are those of the catalog's kinds of controllers.
	Tables  map[string]any `toml:",rest" jsonschema:"-"`
	drawn   []*Controller  // what they say
	byChips []*Controller  // in the order of their chips

	doc    *tomlfile.Doc
	lines  *lineNames
	placed []*Part                 // those of Chip: what others are on comes before them
	layers []source                // of the root file system, those that the appliance's file adds
	fit    *atomic.Pointer[fitted] // of a running board: see [Appliance.Clone]
}

// source is a place in a file.
type source struct {
	doc *tomlfile.Doc
	at  string
}

func (s source) problem(format string, args ...any) tomlfile.Problem {
	return s.doc.Problem(s.at, format, args...)
}

// Firmware is what runs on a board.
type Firmware struct {
	Rootfs       []string `toml:"rootfs,omitempty" jsonschema:"description=Folders and tar or cpio archives that are laid over each other to make the root file system; paths are relative to the board file"`
	Root         string   `toml:"root,omitempty" jsonschema:"description=The disk that the root file system is on or one of its partitions: system or system.2; instead of rootfs"`
	Overlay      string   `toml:"overlay,omitempty" jsonschema:"description=Where what is written to root goes instead: tmpfs or a disk or one of its partitions"`
	Arch         string   `toml:"arch,omitempty" jsonschema:"default=amd64,enum=amd64,enum=arm64,enum=armhf,enum=riscv64,description=The architecture of the root's programs; others than amd64 are run by an emulator that comes along"`
	Init         string   `toml:"init,omitempty" jsonschema:"description=The program that runs once the board is up; without one the board waits for commands; on a root on a disk it is /sbin/init if left out"`
	Args         []string `toml:"init_args,omitempty" jsonschema:"description=Arguments of init"`
	Handover     bool     `toml:"handover,omitempty" jsonschema:"description=init is an init system and becomes process 1; true if init was left out on a root on a disk"`
	Shutdown     Duration `toml:"shutdown,omitempty" jsonschema:"description=Time for an orderly power-off; programs have three quarters of it to end; 2s if left out or 10s with handover"`
	KernelArgs   string   `toml:"args,omitempty" jsonschema:"description=Extra kernel arguments"`
	KernelConfig string   `toml:"kernel_config,omitempty" jsonschema:"description=File with extra kernel configuration (CONFIG_X=y lines)"`
	Kernel       Kernel   `toml:"kernel,omitempty" jsonschema:"description=What the board's own kernel is built from"`
}

// Kernel is what a board's own kernel is built from.
type Kernel struct {
	Source   string   `toml:"source,omitempty" jsonschema:"description=Tarball or folder with a kernel tree or a git repository; without one the kernel is Backplane's"`
	Revision string   `toml:"revision,omitempty" jsonschema:"description=Tag or branch or commit of the git repository; without one the folder is used as it is"`
	Config   []string `toml:"config,omitempty" jsonschema:"description=Files with extra kernel configuration (CONFIG_X=y lines)"`
	Patches  []string `toml:"patches,omitempty" jsonschema:"description=Patches that are applied after Backplane's own"`
	Debug    []string `toml:"debug,omitempty" jsonschema:"description=Debugging options: gcov or kasan or kmemleak or lockdep or symbols"`
}

// Chip is one part on a controller. Its place there, the model's options and its
// properties' initial values stand beside the keys named here.
type Chip struct {
	Name      string            `toml:"name" jsonschema:"description=Name of the part"`
	On        string            `toml:"on,omitempty" jsonschema:"description=In a [[chip]] table of the board: the controller or PART.CHANNEL that the part is on"`
	Model     string            `toml:"model" jsonschema:"description=Its model: 'backplane parts' lists them; 'registers' is a part described in this file"`
	Pins      map[string]string `toml:"pins,omitempty" jsonschema:"description=Pin = GPIO line: controller.line or the line alone on its own controller"`
	Unplugged bool              `toml:"unplugged,omitempty" jsonschema:"description=Absent until it is plugged"`
	Registers *regmap.Map       `toml:"registers,omitempty" jsonschema:"description=Register map of a part with model 'registers'"`
	Values    map[string]any    `toml:",rest" jsonschema:"-"`

	Part *Part `toml:"-" json:"-"` // once it was checked
}

// Network is what init makes of a network interface.
type Network struct {
	Address Texts    `toml:"address,omitempty" jsonschema:"description=IP address with prefix length that init gives the interface or a list of them (IPv4 and IPv6); 'dhcp': an IPv4 address from a DHCP server such as a gateway's; 'slaac': an IPv6 address that the kernel makes from a router advertisement such as a gateway's"`
	Gateway Texts    `toml:"gateway,omitempty" jsonschema:"description=IP address of the default router; a list for one of IPv4 and one of IPv6"`
	DNS     []string `toml:"dns,omitempty" jsonschema:"description=IP addresses of name servers that init puts into /etc/resolv.conf"`
}

// Ethernet is what an appliance says of an Ethernet port of one of its boards.
type Ethernet struct {
	Name string `toml:"name" jsonschema:"description=Name of the interface in the guest such as eth0"`
	ethernet.Config
	Network
}

// Appliance is one appliance file, with the boards that it names.
type Appliance struct {
	Name    string    `toml:"name" jsonschema:"description=Name of the appliance"`
	Doc     string    `toml:"doc,omitempty" jsonschema:"description=One line for people"`
	Paced   bool      `toml:"paced,omitempty" jsonschema:"description=Virtual time never runs ahead of the host's clock; gateways need it"`
	Board   []Member  `toml:"board" jsonschema:"description=The boards in the order in which they are switched on"`
	Gateway []Gateway `toml:"gateway,omitempty" jsonschema:"description=Ways from segments to the world outside"`

	Capture []Capture `toml:"capture,omitempty" jsonschema:"description=Captures of frames"`

	// Tables are those of the catalog's kinds of links, and Links what they say: see Joined.
	Tables map[string]any `toml:",rest" jsonschema:"-"`
	Links  []*Link        `toml:"-" json:"-"`

	doc     *tomlfile.Doc
	catalog *periph.Catalog
	paths   tomlfile.Paths // that its files name
	anew    bool           // what its disks have kept is replaced
	join    *atomic.Pointer[joined]
}

// Member is one board of an appliance.
type Member struct {
	Name      string         `toml:"name,omitempty" jsonschema:"description=Name of the board here; the board file's own name if left out"`
	File      string         `toml:"file" jsonschema:"description=The board file; relative to this one"`
	Off       bool           `toml:"off,omitempty" jsonschema:"description=Not switched on at the start"`
	Slot      string         `toml:"slot,omitempty" jsonschema:"description=The slot in which this board and others take turns; links name the slot instead of the board"`
	Unplugged bool           `toml:"unplugged,omitempty" jsonschema:"description=Not in its slot until it is plugged"`
	Lockstep  bool           `toml:"lockstep,omitempty" jsonschema:"description=It shares its time with the other boards that have this: wires without delay and CAN and RS-485 buses can join them later"`
	Set       map[string]any `toml:"set,omitempty" jsonschema:"description=Initial properties of this instance: part.property = value"`

	Args     []string   `toml:"init_args,omitempty" jsonschema:"description=Arguments of this instance's init in place of the board file's"`
	Rootfs   []string   `toml:"rootfs,omitempty" jsonschema:"description=Layers of this instance's root file system; laid over those of the board file; relative to this file"`
	Ethernet []Ethernet `toml:"ethernet,omitempty" jsonschema:"description=Settings of this instance's Ethernet ports; keys left out stay as in the board file"`

	Board *Board `toml:"-" json:"-"`

	at  string // where it stands in doc
	doc *tomlfile.Doc
}

// Limits of a board.
const (
	MaxCPUs   = 256 // CONFIG_NR_CPUS of the guest kernel
	MinMemory = 32 << 20
	// cpuMemory is how much each CPU needs beside that, if there are several: with less, kernels panic while they boot.
	cpuMemory = 1 << 20
	MaxMemory = 4 << 40
	// MaxSpares is how many places a board may have for controllers that its file does not have,
	// and defaultSpares how many it has if the file does not say.
	MaxSpares     = 64
	defaultSpares = 4
	// MaxKernelConfig is the length of a board's own configuration of the kernel, in
	// bytes: several times what the kernel's whole configuration has.
	MaxKernelConfig = 1 << 20
	// MaxKernelPatch is that of a patch.
	MaxKernelPatch = 16 << 20
)
