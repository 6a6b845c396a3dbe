package main

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBind(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var all, got unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	first, last := ends(&all)
	for _, want := range []unix.CPUSet{first, last, all} {
		if err := bind(cmd.Process.Pid, &want); err != nil {
			t.Fatal(err)
		}
		if err := unix.SchedGetaffinity(cmd.Process.Pid, &got); err != nil || got != want {
			t.Errorf("bound to %v, %v; want %v", got, err, want)
		}
	}
}

func TestEnds(t *testing.T) {
	var all unix.CPUSet
	for _, n := range []int{3, 5, 70} {
		all.Set(n)
	}
	first, last := ends(&all)
	if first.Count() != 1 || !first.IsSet(3) || last.Count() != 1 || !last.IsSet(70) {
		t.Errorf("of processors 3, 5 and 70: %v, %v", first, last)
	}
}

// A process that is started within some processors has no others, and the
// thread that started it has all again.
func TestWithin(t *testing.T) {
	var all, got unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	_, last := ends(&all)
	cmd := exec.Command("sleep", "60")
	if err := within(&last, cmd.Start); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := unix.SchedGetaffinity(cmd.Process.Pid, &got); err != nil || got != last {
		t.Errorf("it has %v, %v; want %v", got, err, last)
	}
	if err := unix.SchedGetaffinity(0, &got); err != nil || got != all {
		t.Errorf("afterwards: %v, %v; want %v", got, err, all)
	}
}
