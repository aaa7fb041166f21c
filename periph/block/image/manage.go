package image

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"backplane/simbus/hostfile"
)

// Reset lets an overlay begin anew, without blocks, over what its image is now. It takes
// no longer for a large one.
func Reset(name string, open Opener) error {
	f, h, err := openHeader(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var below *Image
	size := h.disk
	if h.name != "" {
		if below, err = Open(h.path(name), open); err != nil {
			return fmt.Errorf("%s: its image: %w", name, err)
		}
		defer below.Close()
		size = max(size, below.Size())
	}
	fresh, err := newHeader(name, below, size)
	if err != nil {
		return err
	}
	fresh.name = h.name
	return replace(name, fresh)
}

// replace puts a new overlay into the place of one.
func replace(name string, h *header) error {
	d, err := hostfile.NewDraft(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := begin(hostFile{d.File}, h); err != nil {
		return err
	}
	return d.Place()
}

// chunk is how many blocks are copied at once.
const chunk = 256

// Commit writes an overlay's blocks into its image, and leaves the overlay empty. If it is
// interrupted, the overlay can only be committed again. Other overlays over the image
// become useless. An error because ctx has ended has its cause.
func Commit(ctx context.Context, name string, open Opener) error {
	f, h, err := openHeader(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if h.name == "" {
		return fmt.Errorf("%s: it is over no image into which it could be committed", name)
	}
	o, err := withBlocks(f, h, nil) // before anything of the image is changed
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	to, at, err := openTarget(name, h, open)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer to.Close()
	err = o.commit(ctx, to, at)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("commit %s: %w: it is of no use until another 'backplane disk commit' has ended it", name, err)
	}
	if err != nil {
		return fmt.Errorf("commit %s: %w", name, err)
	}
	return nil
}

// target is what is committed to.
type target interface {
	WriteV(parts [][]byte, off int64) error
	Flush() error
	Close() error
}

// rawTarget is a raw image that is written to.
type rawTarget struct{ hostFile }

func (r rawTarget) WriteV(parts [][]byte, off int64) error { return r.writev(parts, off) }
func (r rawTarget) Flush() error                           { return r.Sync() }

// openTarget opens an overlay's image for writing. at is what it is known by when it was written.
func openTarget(name string, h *header, open Opener) (to target, at func() (base, error), err error) {
	path := h.path(name)
	was, err := Open(path, open) // for its format, and what is below it
	if err != nil {
		return nil, nil, fmt.Errorf("its image: %w", err)
	}
	defer was.Close()
	if why := h.base.differs(was.at); why != nil && !h.committing {
		return nil, nil, &ChangedError{name, path, why}
	}
	if err := was.Close(); err != nil { // it can be locked now
		return nil, nil, err
	}
	switch was.Format {
	case FormatRaw:
		f, err := openAlone(path)
		if err == nil && h.disk > was.Size() {
			err = f.Truncate(h.disk)
		}
		return rawTarget{f}, func() (base, error) { return stateOf(f.File) }, err
	case FormatOverlay:
		if h.disk > was.Size() {
			return nil, nil, fmt.Errorf("its disk has %d bytes, and that of its image %s %d, which cannot grow", h.disk, path, was.Size())
		}
		o, _, err := OpenOverlay(path, open)
		if err != nil {
			return nil, nil, err
		}
		return o, func() (base, error) { return stateOf(o.f.(hostFile).File) }, nil
	}
	return nil, nil, fmt.Errorf("its image %s is a %s file, which this program does not write", path, was.Format)
}

// commit writes all blocks. What it does last says that it is over.
func (o *Overlay) commit(ctx context.Context, to target, at func() (base, error)) error {
	o.head.committing = true
	if err := o.head.put(o.f); err != nil {
		return err
	}
	buffer := make([]byte, chunk*BlockSize)
	for i := int64(0); i < o.head.blocks(); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, own := o.has.run(i, o.head.blocks())
		if own {
			n = min(n, chunk)
			p := [][]byte{buffer[:min(n*BlockSize, o.head.disk-i*BlockSize)]}
			if err := errors.Join(o.f.readv(p, o.start+i*BlockSize), to.WriteV(p, i*BlockSize)); err != nil {
				return err
			}
		}
		i += n
	}
	if err := to.Flush(); err != nil {
		return err
	}
	o.has.set(0, o.head.blocks(), false)
	if err := o.Flush(); err != nil {
		return err
	}
	if err := o.f.punch(o.start, o.head.fileSize()-o.start); err != nil {
		return err
	}
	now, err := at()
	if err != nil {
		return err
	}
	o.head.base.size, o.head.modified, o.head.committing = now.size, now.modified, false
	return o.head.put(o.f)
}

// Rebase puts an overlay over another image, nil for none, with the same contents as
// before: it copies the blocks in which the images differ. If same, the caller says that
// they do not, and nothing is compared, nor is the old image needed.
func Rebase(ctx context.Context, name string, below *Image, same bool, open Opener) error {
	if slices.ContainsFunc(below.Files(), func(file string) bool { return sameFile(file, name) }) { // which locks it
		return fmt.Errorf("%s cannot be put over %s, which has it below itself or is it", name, below.File)
	}
	f, h, err := openHeader(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if h.committing {
		return interruptedError(name)
	}
	to, err := newHeader(name, below, h.disk)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	o, err := withBlocks(f, h, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !same {
		old, err := openBase(name, h, open, maxDepth)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if o.below = source(old); old != nil {
			defer old.Close()
		}
		if err := o.copyDifferent(ctx, source(below)); err != nil {
			return fmt.Errorf("rebase %s: %w", name, err)
		}
	}
	to.sequence = h.sequence
	return to.put(f)
}

// copyDifferent makes those blocks the overlay's own that another base has in another way.
func (o *Overlay) copyDifferent(ctx context.Context, base Source) error {
	other := newOverlay(nil, o.head, base)
	was, is := make([]byte, chunk*BlockSize), make([]byte, chunk*BlockSize)
	for i := int64(0); i < o.head.blocks(); {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, own := o.has.run(i, o.head.blocks())
		if !own {
			n = min(n, chunk)
			size := min(n*BlockSize, o.head.disk-i*BlockSize)
			if err := errors.Join(readBelow(o.below, [][]byte{was[:size]}, i*BlockSize), readBelow(other.below, [][]byte{is[:size]}, i*BlockSize)); err != nil {
				return err
			}
			for at := int64(0); at < size; at += BlockSize {
				end := min(at+BlockSize, size)
				if slices.Equal(was[at:end], is[at:end]) {
					continue
				}
				if err := o.WriteV([][]byte{was[at:end]}, i*BlockSize+at); err != nil {
					return err
				}
			}
		}
		i += n
	}
	return o.Flush()
}

// Check says what is wrong with an image and those below it, and reads what each has of
// its own.
func Check(ctx context.Context, name string, open Opener) error {
	i, err := Open(name, open)
	if err != nil {
		return err
	}
	defer i.Close()
	buffer := make([]byte, 1<<20)
	for at := int64(0); at < i.Size(); at += int64(len(buffer)) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := i.ReadV([][]byte{buffer[:min(int64(len(buffer)), i.Size()-at)]}, at); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
