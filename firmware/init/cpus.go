package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// cpuFolder has a folder for each CPU, and lists of them (Documentation/admin-guide/cputopology.rst).
var cpuFolder = "/sys/devices/system/cpu"

// cpus are those of the board. Whoever is root on it can take them offline as well.
type cpus struct {
	tell func(online int) // of each change

	mu   sync.Mutex
	told int
}

// watchCPUs tells how many CPUs are online, and of each change from then on. There is
// nothing to tell of a board with one.
func watchCPUs(tell func(online int)) *cpus {
	c := &cpus{tell: tell}
	present, err := cpuList("present")
	if err != nil || len(present) < 2 {
		return c
	}
	c.look()
	if err := watchKernel(func(message []byte) {
		if message == nil || bytes.Contains(message, []byte("/devices/system/cpu/")) {
			c.look()
		}
	}); err != nil {
		complain("watch the CPUs: %v", err)
	}
	return c
}

// look tells of a change.
func (c *cpus) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if online, err := cpuList("online"); err == nil && len(online) != c.told {
		c.told = len(online)
		c.tell(c.told)
	}
}

// set takes CPUs offline, the last first, or online, until so many are.
func (c *cpus) set(want int) error {
	defer c.look()
	present, err := cpuList("present")
	if err != nil {
		return err
	}
	online, err := cpuList("online")
	if err != nil {
		return err
	}
	if want < 1 || want > len(present) {
		return fmt.Errorf("%d CPUs: the kernel has %d", want, len(present))
	}
	on := len(online)
	for _, cpu := range present {
		if on < want && !slices.Contains(online, cpu) {
			if err := turn(cpu, "1"); err != nil {
				return err
			}
			on++
		}
	}
	for _, cpu := range slices.Backward(online) {
		if on > want {
			if err := turn(cpu, "0"); err != nil {
				return err
			}
			on--
		}
	}
	return nil
}

// turn takes a CPU online, "1", or offline, "0".
func turn(cpu int, on string) error {
	err := os.WriteFile(filepath.Join(cpuFolder, fmt.Sprintf("cpu%d", cpu), "online"), []byte(on), 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("the kernel cannot take CPU %d offline or online", cpu)
	}
	return err
}

// cpuList reads a list of CPUs, such as "0-3,5".
func cpuList(name string) (list []int, err error) {
	b, err := os.ReadFile(filepath.Join(cpuFolder, name))
	if err != nil {
		return nil, err
	}
	for item := range strings.SplitSeq(strings.TrimSpace(string(b)), ",") {
		first, last, several := strings.Cut(item, "-")
		if !several {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, failure := strconv.Atoi(last)
		if err = errors.Join(err, failure); err != nil {
			return nil, err
		}
		for ; from <= to; from++ {
			list = append(list, from)
		}
	}
	return list, nil
}
