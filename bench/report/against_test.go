package main

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	all := full.trials()
	if got, err := choose(all, nil); err != nil || len(got) != len(all) {
		t.Errorf("without names: %d of %d rows, %v", len(got), len(all), err)
	}
	got, err := choose(all, []string{"S3", "L1"})
	if err != nil || len(got) != 2 || got[0].id != "S3" || got[1].id != "L1" {
		t.Errorf("got %v, %v; want S3 and L1", got, err)
	}
	if _, err := choose(all, []string{"L1", "X1"}); err == nil || !strings.Contains(err.Error(), `"X1"`) {
		t.Errorf("a row that does not exist: %v", err)
	}
}

// Each row has a name of its own, and is either a load or connections that are
// weighed.
func TestTrials(t *testing.T) {
	for _, p := range []*plan{&full, &quick} {
		seen := make(map[string]bool)
		for _, x := range p.trials() {
			if seen[x.id] {
				t.Errorf("two rows are called %s", x.id)
			}
			seen[x.id] = true
			if load := x.work.InFlight > 0; load == (x.conns > 0) || load != (x.target.Conns > 0) {
				t.Errorf("%s: %+v", x.id, x)
			}
		}
	}
}

func TestCompared(t *testing.T) {
	r := &report{results: newResults()}
	for i := range 100 {
		disturbed := float64(1 + i%7) // alike for both, since they take turns
		r.add("L1", here, cpuTime, disturbed)
		r.add("L1", "other", cpuTime, 1.1*disturbed)
	}
	want := "| L1 | other | 4.00 µs | 4.40 µs | 1.100 | 1.100 to 1.100 | 100 |"
	if got := r.compared(&trial{id: "L1"}, "other"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high float64
	}{
		{1, 0, 0},
		{3, 0, 2},
		{5, 0, 4},
		{9, 1, 7},
		{100, 40, 59},
		{400, 180, 219},
	} {
		sorted := make([]float64, c.n)
		for i := range sorted {
			sorted[i] = float64(i)
		}
		if low, high := interval(sorted); low != c.low || high != c.high {
			t.Errorf("of %d: %v to %v, want %v to %v", c.n, low, high, c.low, c.high)
		}
	}
}
