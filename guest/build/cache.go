package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Cache is the folder for what is built, kernels for example, in the user's cache folder.
func Cache(what string) (string, error) {
	dir, err := os.UserCacheDir()
	if err == nil && !filepath.IsAbs(dir) { // each working folder would have its own
		err = errors.New("path in $HOME is relative")
	}
	if err != nil {
		return "", fmt.Errorf("no cache folder for %ss: %w (XDG_CACHE_HOME names one)", what, err)
	}
	return filepath.Join(dir, "backplane", what), nil
}
