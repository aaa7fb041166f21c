package outlet

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// Way is where a program on the host finds its end of a line: by a pseudo terminal, or by
// an address on which RFC 2217 is served.
type Way struct {
	Pty    string // a name, or an absolute path
	Listen string // "unix:" and a name or an absolute path; ADDRESS:PORT
}

// Check says what is wrong with it.
func (w Way) Check() error {
	path, isUnix := strings.CutPrefix(w.Listen, UnixPrefix)
	switch {
	case (w.Pty == "") == (w.Listen == ""):
		return errors.New("a port is given to the host in one way: write pty or listen")
	case w.Pty != "":
		return checkName("pty", w.Pty)
	case isUnix:
		return checkName("listen", path)
	}
	_, _, err := Address(w.Listen)
	return err
}

func checkName(key, path string) error {
	if strings.Contains(path, "/") && !filepath.IsAbs(path) || path == "" || path == "." || path == ".." || strings.ContainsRune(path, 0) {
		return fmt.Errorf("%s is %q; it must be a name, or an absolute path", key, path)
	}
	return nil
}

// In is the way with names in a folder.
func (w Way) In(folder string) Way {
	if w.Pty != "" && !filepath.IsAbs(w.Pty) {
		w.Pty = filepath.Join(folder, w.Pty)
	}
	if path, is := strings.CutPrefix(w.Listen, UnixPrefix); is && !filepath.IsAbs(path) {
		w.Listen = UnixPrefix + filepath.Join(folder, path)
	}
	return w
}

// UnixPrefix begins the address of a Unix socket.
const UnixPrefix = "unix:"

// Address is what [net.Listen] takes for "unix:PATH", "ADDRESS:PORT", ":PORT" or "PORT".
// Where nothing names an address of the host it is 127.0.0.1.
func Address(text string) (network, address string, err error) {
	if path, is := strings.CutPrefix(text, UnixPrefix); is {
		if path == "" {
			return "", "", errors.New("the address unix: has no path: write unix:PATH")
		}
		return "unix", path, nil
	}
	place := text
	if !strings.Contains(text, ":") {
		place = ":" + text
	}
	host, port, err := net.SplitHostPort(place)
	if err == nil && host == "" {
		host = "127.0.0.1"
	}
	if _, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || net.ParseIP(host) == nil {
		return "", "", fmt.Errorf("%q is not an address to listen on: write ADDRESS:PORT, such as 127.0.0.1:2217, or unix:PATH", text)
	}
	return "tcp", net.JoinHostPort(host, port), nil
}
