package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Begin makes ready for work in a cache, alone: nothing is left of works that were killed.
func Begin(ctx context.Context, cache string) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	if unlock, err = lock(ctx, cache); err != nil {
		return nil, err
	}
	if err := sweep(cache); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// lock keeps two builds from fetching and unpacking at once.
func lock(ctx context.Context, cache string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-time.After(200 * time.Millisecond): // another process builds
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}
