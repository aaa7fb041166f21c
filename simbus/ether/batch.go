package ether

// Batch is what one sender sends in one go: receivers that do something after
// frames, such as an interrupt, may do it once for several. The zero value is
// ready for use. It belongs to the sender's goroutine.
type Batch struct {
	after []Flusher
	size  int
}

// Flusher is a receiver with something to do after a batch.
type Flusher interface {
	Flush()
}

// batchSize is after how many bytes the receivers of a batch are told in any
// case: so that they are at work while the sender goes on with long frames.
const batchSize = 32 << 10

// Add lets f be flushed after the batch, and says how many bytes it has got.
func (b *Batch) Add(f Flusher, size int) {
	b.size += size
	for _, g := range b.after {
		if f == g {
			return
		}
	}
	b.after = append(b.after, f)
}

// Next is to be called after each frame.
func (b *Batch) Next() {
	if b.size >= batchSize {
		b.Flush()
	}
}

// Flush ends the batch.
func (b *Batch) Flush() {
	for i, f := range b.after {
		f.Flush()
		b.after[i] = nil
	}
	b.after, b.size = b.after[:0], 0
}
