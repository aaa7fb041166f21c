package virtio

import "fmt"

// Serve gives take the buffers that the driver has made available, one after another,
// until there are no more, or take says so or returns an error. Then it interrupts the
// driver if take has given back any, with Done. It allocates nothing.
func (q *Queue) Serve(take func(c *Chain) (more bool, err error)) error {
	for {
		c, err := q.Next()
		if err != nil {
			return fmt.Errorf("take a buffer: %w", err)
		}
		if c == nil {
			break
		}
		more, err := take(c)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	q.Notify()
	return nil
}
