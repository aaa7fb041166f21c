package guesttest

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/periph/virtio/virtiotest"

	"golang.org/x/sys/unix"
)

// What Linux' front end says (arch/um/drivers/vhost_user.h), in the order in which it
// says it, and the answers that it takes.
const (
	getProtocolFeatures = 15
	setProtocolFeatures = 16
	getQueueNum         = 17
	setOwner            = 3
	getFeatures         = 1
	setBackendReq       = 21
	setFeatures         = 2
	getConfig           = 24
	setConfig           = 25
	setMemTable         = 5
	setVringNum         = 8
	setVringBase        = 10
	setVringAddr        = 9
	setVringKick        = 12
	setVringCall        = 13
	setVringEnable      = 18
	vringKick           = 35

	configChange = 2 // of the back end
	vringCall    = 4

	versionFlag = 1
	replyFlag   = 4
	ackFlag     = 8
	headerSize  = 12

	featureProtocol  = 1 << 30
	protocolReplyAck = 1 << 3
	protocolInBand   = 1 << 14
	protocolWanted   = 1<<0 | protocolReplyAck | 1<<5 | 1<<9 | protocolInBand // and queues, requests back, configuration
	noFD             = 1 << 8
)

// memorySize is that of one device's memory, in bytes: half of it for rings and buffers
// that stay, half for others.
const memorySize = 512 << 10

// queueSize is how many buffers a queue has.
const queueSize = 16

// driverFeatures are what drivers here know of their devices' features, by virtio device ID:
// a NIC's address and link state, transfers of no bytes, a gpiochip's interrupts.
var driverFeatures = map[uint32]uint64{idNet: 1<<5 | 1<<16, idI2C: 1 << 0, idGPIO: 1 << 0}

// Device IDs (virtio 1.3, section 5).
const (
	idNet     = 1
	idConsole = 3
	idI2C     = 34
	idGPIO    = 41
)

// Device is one of a board's devices, with what a driver needs to work with it.
type Device struct {
	Name string
	ID   uint32

	k       *Kernel
	fd      int // of the connection
	back    int // what the device says by itself
	far     int // the other end of that, until the device has it
	memory  *virtiotest.Memory
	rings   []*virtiotest.Ring
	kicks   []int // in real time, of each queue
	calls   []int
	inBand  bool
	input   []byte       // of a console
	receive func([]byte) // what comes in a buffer of the receive queue
	armed   map[int]bool // GPIO lines
}

// open connects and does what a probe does.
func (k *Kernel) open(p place) (*Device, error) {
	d := &Device{Name: p.name, ID: p.id, k: k, fd: -1, back: -1, far: -1}
	k.devices = append(k.devices, d) // to be closed, whatever becomes of it
	var err error
	if d.fd, err = k.dial(p.socket); err != nil {
		return nil, err
	}
	if d.memory, err = virtiotest.MakeMemory(memorySize); err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	d.back, d.far = pair[0], pair[1]
	if err := d.probe(); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	return d, nil
}

func u32s(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

func u64s(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// ask sends a request and waits for its answer.
func (d *Device) ask(request uint32, payload []byte, fds ...int) ([]byte, error) {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	message := append(u32s(request, versionFlag|ackFlag, uint32(len(payload))), payload...)
	if err := unix.Sendmsg(d.fd, message, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return nil, fmt.Errorf("request %d: %w", request, err)
	}
	return d.k.message(d.fd)
}

// tell is ask for a request that is only acknowledged.
func (d *Device) tell(request uint32, payload []byte, fds ...int) error {
	reply, err := d.ask(request, payload, fds...)
	if err == nil && (len(reply) != 8 || binary.NativeEndian.Uint64(reply) != 0) {
		err = fmt.Errorf("request %d is refused: % x", request, reply)
	}
	return err
}

func (d *Device) number(request uint32) (uint64, error) {
	reply, err := d.ask(request, nil)
	if err == nil && len(reply) != 8 {
		err = fmt.Errorf("request %d is answered by %d bytes", request, len(reply))
	}
	if err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(reply), nil
}

// probe goes through what virtio_uml and a driver do up to the first buffer.
func (d *Device) probe() error {
	offered, err := d.number(getFeatures)
	if err != nil {
		return err
	}
	protocol, err := d.number(getProtocolFeatures)
	if err != nil {
		return err
	}
	protocol &= protocolWanted
	d.inBand = protocol&protocolInBand != 0
	if err := d.tell(setProtocolFeatures, u64s(protocol)); err != nil {
		return err
	}
	queues, err := d.number(getQueueNum)
	if err != nil {
		return err
	}
	if err := d.tell(setBackendReq, nil, d.far); err != nil {
		return err
	}
	unix.Close(d.far)
	d.far = -1
	features := offered & (virtio.FeatureVersion1 | featureProtocol | driverFeatures[d.ID])
	for _, step := range []struct {
		request uint32
		payload []byte
		fds     []int
	}{
		{setOwner, nil, nil},
		{setFeatures, u64s(features), nil},
		{setMemTable, append(u32s(1, 0), u64s(virtiotest.Base, memorySize, virtiotest.UserBase, 0)...), []int{d.memory.FD}},
	} {
		if err := d.tell(step.request, step.payload, step.fds...); err != nil {
			return err
		}
	}
	for i := range uint32(queues) {
		if err := d.addQueue(i, features); err != nil {
			return err
		}
	}
	for i := range uint32(queues) { // all are set up before the first is enabled
		if err := d.tell(setVringEnable, u32s(i, 1)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) addQueue(i uint32, features uint64) error {
	r := virtiotest.NewRing(d.memory, queueSize, features)
	d.rings = append(d.rings, r)
	user := func(addr uint64) uint64 { return addr - virtiotest.Base + virtiotest.UserBase }
	if err := d.tell(setVringNum, u32s(i, queueSize)); err != nil {
		return err
	}
	if err := d.tell(setVringBase, u32s(i, 0)); err != nil {
		return err
	}
	if err := d.tell(setVringAddr, append(u32s(i, 0), u64s(user(r.DescAddr), user(r.UsedAddr), user(r.AvailAddr), 0)...)); err != nil {
		return err
	}
	if d.inBand {
		if err := d.tell(setVringKick, u64s(uint64(i)|noFD)); err != nil {
			return err
		}
		return d.tell(setVringCall, u64s(uint64(i)|noFD))
	}
	kick, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	d.kicks = append(d.kicks, kick)
	call, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(call[1])
	d.calls = append(d.calls, call[0])
	if err := d.tell(setVringKick, u64s(uint64(i)), kick); err != nil {
		return err
	}
	return d.tell(setVringCall, u64s(uint64(i)), call[1])
}

// kick tells the device of new buffers.
func (d *Device) kick(queue int) {
	if d.inBand {
		d.k.must(d.tell(vringKick, u32s(uint32(queue), 0)))
		return
	}
	_, err := unix.Write(d.kicks[queue], u64s(1))
	d.k.must(err)
}

// Do gives a device a buffer, whose first part it reads and whose second part it has room
// for, and returns what it has written when it gives the buffer back. It is called in a task.
func (d *Device) Do(queue int, out []byte, room int) []byte {
	r := d.rings[queue]
	var parts [][]byte
	var rooms []int
	if len(out) > 0 {
		parts = [][]byte{out}
	}
	if room > 0 {
		rooms = []int{room}
	}
	head := r.Add(parts, rooms)
	d.kick(queue)
	d.k.Await(func() bool {
		for _, u := range r.Results() {
			d.k.done[back{d, queue, u.Head}] = u.Bytes()
		}
		_, ok := d.k.done[back{d, queue, head}]
		return ok
	})
	b := d.k.done[back{d, queue, head}]
	delete(d.k.done, back{d, queue, head})
	return b
}

// back is a buffer that a device has given back.
type back struct {
	d     *Device
	queue int
	head  uint16
}

// listen keeps the receive queue full of buffers and hands on what comes in them.
func (d *Device) listen(size int, receive func([]byte)) {
	d.receive = receive
	for range queueSize {
		d.rings[0].Add(nil, []int{size})
	}
	d.kick(0)
}

// poll takes what has come.
func (d *Device) poll() {
	if d.receive != nil && d.rings[0].Again(d.receive) > 0 {
		d.kick(0)
	}
}

// heard takes what the device says by itself, and tells whether it is still there.
func (d *Device) heard() bool {
	var b [headerSize + 8]byte
	n, err := unix.Read(d.back, b[:headerSize]) // more may be the next message's
	if err != nil || n < headerSize {
		return false
	}
	request, flags, size := binary.NativeEndian.Uint32(b[0:]), binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[8:])
	if size > 8 {
		return false
	}
	if n, err := unix.Read(d.back, b[headerSize:headerSize+size]); err != nil || n < int(size) {
		return false
	}
	if request != vringCall && request != configChange {
		return false
	}
	if flags&ackFlag != 0 {
		d.k.clock.interrupt()
		_, err = unix.Write(d.back, append(u32s(request, versionFlag|replyFlag, 8), u64s(0)...))
	}
	return err == nil
}

// Config is the configuration space, so much of it.
func (d *Device) Config(size int) []byte {
	reply, err := d.ask(getConfig, append(u32s(0, uint32(size), 0), make([]byte, size)...))
	d.k.must(err)
	if len(reply) != headerSize+size {
		d.k.must(fmt.Errorf("%s: %d bytes of its configuration", d.Name, len(reply)))
	}
	return reply[headerSize:]
}

// SetConfig writes to the configuration space.
func (d *Device) SetConfig(offset int, p []byte) {
	d.k.must(d.tell(setConfig, append(u32s(uint32(offset), uint32(len(p)), 0), p...)))
}

func (d *Device) close() {
	for _, fd := range append([]int{d.fd, d.back, d.far}, append(d.kicks, d.calls...)...) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if d.memory != nil {
		d.memory.Close()
	}
}
