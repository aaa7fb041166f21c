package control

import (
	"io"
	"time"

	"backplane/simbus/awake"
)

// lastFrames is how long, in host time, a client that has ended its capture may
// take to read the rest.
const lastFrames = 5 * time.Second

func (n *session) capture(r *Request) error {
	out := &gate{w: n.c, open: make(chan struct{})}
	live, err := n.s.app.Capture(r.Args, r.Filter, r.Snap, out)
	if err != nil {
		return err
	}
	n.reply(Reply{})
	close(out.open)
	_, _ = n.in.ReadByte() // a client says nothing more: this ends when it does
	live.Close()
	stop := awake.AfterFunc(lastFrames, func() { n.c.Close() })
	<-live.Done()
	stop()
	return nil
}

// gate holds back what is written until it is open.
type gate struct {
	w    io.Writer
	open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.w.Write(p)
}
