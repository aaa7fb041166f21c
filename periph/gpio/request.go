package gpio

import (
	"encoding/binary"
	"fmt"

	"backplane/periph/virtio"
	"backplane/simbus"
	"backplane/simbus/wire"
)

// request is struct virtio_gpio_request.
type request struct {
	kind  uint16
	line  uint16
	value uint32
}

func parseRequest(b [requestSize]byte) request {
	return request{
		kind:  binary.LittleEndian.Uint16(b[0:]),
		line:  binary.LittleEndian.Uint16(b[2:]),
		value: binary.LittleEndian.Uint32(b[4:]),
	}
}

// takeRequest carries out a request, or lets it take its time.
func (c *Controller) takeRequest(chain *virtio.Chain) (more bool, err error) {
	if c.Access > 0 {
		c.request = chain
		c.busy = simbus.After(c.Clock, c.duration(chain), c.finish)
		return false, nil
	}
	written, err := c.answer(chain)
	if err != nil {
		return false, err
	}
	c.requests.Done(chain, written)
	return true, nil
}

// finish is called when the time of a request is over.
func (c *Controller) finish() {
	chain, queue := c.request, c.requests
	c.busy, c.request = nil, nil
	written, err := c.answer(chain)
	if err == nil {
		queue.Done(chain, written)
		queue.Notify()
		if c.requests != queue {
			return // the driver went away meanwhile
		}
		err = queue.Serve(c.takeRequest)
	}
	if err != nil {
		queue.Fail(c.named(err))
	}
}

// answer carries out one request and returns how many bytes of response it wrote.
// A request for something that cannot be done is answered so; only a layout
// that leaves no place for an answer is an error.
func (c *Controller) answer(chain *virtio.Chain) (int, error) {
	var b [requestSize]byte
	if n := chain.ReadLen(); n != requestSize {
		return 0, fmt.Errorf("request of %d bytes: must be %d", n, requestSize)
	}
	chain.CopyOut(b[:], 0)
	req := parseRequest(b)

	want := responseSize
	if req.kind == msgGetNames {
		want = 1 + len(c.names)
	}
	if n := chain.WriteLen(); n < want {
		return 0, fmt.Errorf("request of type %d has %d bytes for its response: must be %d", req.kind, n, want)
	}
	if req.kind == msgGetNames {
		return c.answerNames(chain), nil
	}
	value, ok := c.do(req)
	response := [responseSize]byte{statusOK, value}
	if !ok {
		response = [responseSize]byte{statusErr, 0}
	}
	return chain.CopyIn(0, response[:]), nil
}

func (c *Controller) answerNames(chain *virtio.Chain) int {
	if len(c.names) == 0 {
		return chain.CopyIn(0, []byte{statusErr})
	}
	return chain.CopyIn(0, []byte{statusOK}) + chain.CopyIn(1, c.names)
}

// do carries out a request on a line. It returns the response's value, and
// false if the request makes no sense.
func (c *Controller) do(req request) (value uint8, ok bool) {
	if int(req.line) >= len(c.lines) {
		return 0, false
	}
	l := &c.lines[req.line]
	switch req.kind {
	case msgGetDirection:
		return l.direction, true
	case msgSetDirection:
		return 0, c.setDirection(l, req.value)
	case msgGetValue:
		if l.wire.Level() == wire.High {
			value = 1
		}
		c.asked(l, value)
		return value, true
	case msgSetValue:
		if c.Access > 0 {
			c.acted = c.Clock.Now()
		}
		return 0, c.setValue(l, req.value)
	case msgIRQType:
		return 0, c.irq && c.setIRQType(l, req.value)
	}
	return 0, false
}

func (c *Controller) setValue(l *line, value uint32) bool {
	if value > 1 {
		return false
	}
	l.output = value == 1
	if l.direction == directionOut {
		l.pin.Drive(l.output.Strong())
	}
	return true
}

func (c *Controller) setDirection(l *line, direction uint32) bool {
	switch direction {
	case directionOut:
		if l.enabled() {
			return false // "must not send IRQ messages for a line configured for output", the other way round
		}
		l.direction = directionOut
		l.pin.Drive(l.output.Strong())
	case directionIn:
		l.direction = directionIn
		l.pin.Drive(wire.Float)
	case directionNone:
		// The specification wants all state of the line discarded. Its interrupt
		// is kept: Linux sends this when any consumer lets a line go (gpioget),
		// also while another has its interrupt, which gpiolib allows. Returning
		// that one's buffer would make the driver queue it again for ever.
		l.direction, l.output = directionNone, wire.Low
		l.pin.Drive(wire.Float)
	default:
		return false
	}
	return true
}
