package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
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
	generator, server, err := processors(where)
	if err != nil {
		return err
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

// processors returns those of a place, for the generator and for servers.
func processors(where place) (generator, server unix.CPUSet, err error) {
	var all unix.CPUSet // the processors of the report itself, which is not bound
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return all, all, err
	}
	generator, server = all, all
	first, last := ends(&all)
	switch where {
	case together:
		generator, server = first, first
	case apart:
		generator, server = first, last
	}
	return generator, server, nil
}

// within calls start, whose processes are bound to some processors from their
// beginning. A program in Go looks at the start how many processors it has, and
// seldom later.
func within(processors *unix.CPUSet, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, processors); err != nil {
		return err
	}
	defer unix.SchedSetaffinity(0, &before)
	return start()
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
