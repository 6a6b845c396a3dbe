package main

import "testing"

func TestSequence(t *testing.T) {
	const end, excuse, must = -1000, -2000, -3000 // with the number to which they belong
	for _, c := range []struct {
		name  string
		steps []int
		want  Faults
	}{
		{"nothing", nil, Faults{}},
		{"in order, from any number", []int{7, 8, 9, end - 10}, Faults{}},
		{"a loss", []int{0, 1, 3, end - 4}, Faults{Lost: 1}},
		{"a loss of several", []int{0, 5}, Faults{Lost: 4}},
		{"a loss at the end", []int{0, 1, end - 4}, Faults{Lost: 2}},
		{"a loss at the beginning", []int{must - 3, 5, end - 6}, Faults{Lost: 2}},
		{"all lost", []int{must - 3, end - 6}, Faults{Lost: 3}},
		{"one before it had to come", []int{2, must - 4, 3, 4}, Faults{}},
		{"a double", []int{0, 1, 1, 2}, Faults{Doubled: 1}},
		{"an old double", []int{0, 1, 2, 0}, Faults{Doubled: 1}},
		{"one that was on its way", []int{must - 5, 3, 4, 5, end - 6}, Faults{}},
		{"a loss after one that was on its way", []int{must - 5, 3, 5}, Faults{Lost: 1}},
		{"one before the first", []int{must - 5, 5, 4}, Faults{Doubled: 1}},
		{"a swap", []int{0, 2, 1, 3, end - 4}, Faults{Swapped: 1}},
		{"a swap and its double", []int{0, 2, 1, 1}, Faults{Swapped: 1, Doubled: 1}},
		{"a loss that is excused", []int{0, 1, excuse - 4, 5, end - 6}, Faults{Lost: 1}},
		{"a loss at the end that is excused", []int{0, 1, excuse - 4, end - 4}, Faults{}},
		{"a double is not excused", []int{0, 1, excuse - 4, 1}, Faults{Doubled: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sequence
			for _, n := range c.steps {
				switch {
				case n <= must:
					s.must(must - n)
				case n <= excuse:
					s.excuse(excuse - n)
				case n <= end:
					s.end(end - n)
				default:
					s.add(n)
				}
			}
			if s.Faults != c.want {
				t.Errorf("got %+v, want %+v", s.Faults, c.want)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	var s sequence
	if !s.complete(5) {
		t.Error("one who has to get nothing is incomplete")
	}
	s.must(3)
	s.add(3)
	if s.complete(5) {
		t.Error("complete without 4")
	}
	s.add(4)
	if !s.complete(5) {
		t.Error("incomplete with 4")
	}
}
