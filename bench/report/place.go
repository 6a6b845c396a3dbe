package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A place says which processors the load generator and the servers run on.
type place int

const (
	anywhere place = iota // the kernel chooses
	together              // both on one processor
	apart                 // each on its own processor
)

// put binds a generator and servers to a place.
func put(where place, load *generator, servers []*server) error {
	var all unix.CPUSet // the processors of the report itself, which is not bound
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	generator, server := all, all
	first, last := ends(&all)
	switch where {
	case together:
		generator, server = first, first
	case apart:
		generator, server = first, last
	}
	if err := bind(load.Pid(), &generator); err != nil {
		return err
	}
	for _, s := range servers {
		if err := bind(s.Pid(), &server); err != nil {
			return err
		}
	}
	return nil
}

// ends returns the first and the last processor of a set.
func ends(all *unix.CPUSet) (first, last unix.CPUSet) {
	for n, found := 0, 0; found < all.Count(); n++ {
		if !all.IsSet(n) {
			continue
		}
		if found++; found == 1 {
			first.Set(n)
		}
		last.Zero()
		last.Set(n)
	}
	return first, last
}

// bind restricts all threads of a process to some processors. New threads
// inherit the restriction.
func bind(pid int, processors *unix.CPUSet) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, processors); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("thread %d of process %d: %w", id, pid, err)
		}
	}
	return nil
}
