package loop

import (
	"slices"
	"testing"
)

// A task is a Work that tells that it is done.
type task struct {
	n    int
	done chan int
}

func (t task) Run() { t.done <- t.n }

// What a worker does later is done once, in its order, and not kept, nor is room for all that it
// has ever done.
func TestWorkerKeepsNothing(t *testing.T) {
	done := make(chan int, 10)
	var w Worker
	later := func(numbers ...int) {
		for _, n := range numbers {
			w.Later(task{n, done})
		}
	}
	check := func(what string, want ...int) {
		t.Helper()
		var got []int
		for range want {
			got = append(got, <-done)
		}
		slices.Sort(want)
		if what == "Hurry" { // others have done it
			slices.Sort(got)
		}
		if !slices.Equal(got, want) || len(done) > 0 {
			t.Errorf("%s: %v is done, and %d more, want %v", what, got, len(done), want)
		}
		for _, x := range w.works[:cap(w.works)] {
			if x != nil {
				t.Errorf("%s: %v is kept", what, x)
			}
		}
	}
	for range 2 {
		later(1)
		w.do()
		check("do", 1)
		later(2, 3, 4)
		w.do()
		check("do", 2, 3, 4)
		later(5)
		w.Hurry()
		check("Hurry", 5)
		later(6, 7)
		w.Hurry()
		check("Hurry", 6, 7)
		w.do()
		w.Hurry()
		check("nothing")
	}
	for range 100 {
		later(8)
		w.do()
		check("do", 8)
	}
	if n := cap(w.works); n >= 100 {
		t.Errorf("there is room for %d where one is left at a time", n)
	}
}
