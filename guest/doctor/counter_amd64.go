package doctor

import (
	"errors"
	"runtime"
	"runtime/debug"

	"backplane/guest/counter"

	"golang.org/x/sys/unix"
)

// errCounter is for CPUs, mostly of virtual machines, that do not heed CR4.TSD.
var errCounter = errors.New("RDTSC reads this machine's counter, though the kernel was asked to keep programs from it (PR_SET_TSC)")

// Counter tells whether this machine can keep its time stamp counter from programs, as guests
// in virtual time need it: PR_SET_TSC(2const). Some hypervisors give virtual machines a CPU that
// does not.
func Counter() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, which may not read the time, ends with this goroutine
		done <- readCounter()
	}()
	return <-done
}

func readCounter() (err error) {
	was := debug.SetPanicOnFault(true)
	defer func() {
		_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TSC, unix.PR_TSC_ENABLE, 0)
		debug.SetPanicOnFault(was)
		if recover() != nil { // SIGSEGV, as it should be
			err = nil
		}
	}()
	if _, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TSC, unix.PR_TSC_SIGSEGV, 0); errno != 0 {
		return errno
	}
	counter.Read()
	return errCounter
}
