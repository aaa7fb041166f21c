// Command crowd puts descriptors under way, in messages that nobody takes, until its
// user may have no more of them (unix(7), ETOOMANYREFS); it says "full", and keeps them until
// its input ends. It takes the limit of open files that it is to have, and is nobody if
// it is root: so are root's boards.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	limit, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		log.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			log.Fatal(err)
		}
	}
	const most = 253 // descriptors of a message (Linux net/core/scm.h, SCM_MAX_FD)
	rights := unix.UnixRights(make([]int, most)...)
	for err == nil {
		var pair [2]int
		if pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0); err != nil {
			break
		}
		for err == nil {
			err = unix.Sendmsg(pair[0], []byte{0}, rights, nil, 0)
		}
		if errors.Is(err, unix.EAGAIN) {
			err = nil // the next pair
		}
	}
	if !errors.Is(err, unix.ETOOMANYREFS) {
		log.Fatal(err)
	}
	fmt.Println("full")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
