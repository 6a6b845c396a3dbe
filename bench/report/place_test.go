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
