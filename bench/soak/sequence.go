package main

// Faults are what is wrong with the numbers that a recipient has got.
type Faults struct {
	Lost    int // numbers that have not come, though a greater one has, or all should have
	Doubled int // numbers that have come again
	Swapped int // numbers that have come after a greater one
}

func (f Faults) minus(o Faults) Faults {
	return Faults{f.Lost - o.Lost, f.Doubled - o.Doubled, f.Swapped - o.Swapped}
}

func (f Faults) plus(o Faults) Faults {
	return Faults{f.Lost + o.Lost, f.Doubled + o.Doubled, f.Swapped + o.Swapped}
}

// A sequence checks the numbers that one recipient gets. The first number may be any, but
// no greater than the one that is due, once must has said which that is; from then on they rise by
// one. Its zero value is ready for use.
type sequence struct {
	Faults
	started bool // a number has come
	owed    bool // numbers have to come
	next    int  // the number that is due, if started or owed
	excused int  // lesser numbers may be missing

	missing map[int]struct{} // below next; nil if there are none
}

// must says that n and all greater numbers have to come. Lesser ones may: they can be on
// their way.
func (s *sequence) must(n int) {
	if !s.started && !s.owed {
		s.owed, s.next = true, n
	}
}

// excuse says that numbers below n which have not come yet may be missing.
func (s *sequence) excuse(n int) { s.excused = max(s.excused, n) }

// add takes a number that has come.
func (s *sequence) add(n int) {
	if !s.started && (!s.owed || n < s.next) {
		s.next = n
	}
	s.started = true
	switch {
	case n >= s.next:
		s.skip(n)
		s.next = n + 1
	case s.has(n):
		delete(s.missing, n)
		s.Lost--
		s.Swapped++
	default:
		s.Doubled++
	}
}

// skip notes that the numbers from next to n, without n, are missing.
func (s *sequence) skip(n int) {
	for i := max(s.next, s.excused); i < n; i++ {
		if s.missing == nil {
			s.missing = make(map[int]struct{})
		}
		s.missing[i] = struct{}{}
		s.Lost++
	}
}

func (s *sequence) has(n int) bool {
	_, ok := s.missing[n]
	return ok
}

// complete reports whether nothing below n is still to come.
func (s *sequence) complete(n int) bool { return !s.started && !s.owed || s.next >= n }

// end says that nothing comes any more, of numbers below n.
func (s *sequence) end(n int) {
	if s.started || s.owed {
		s.skip(n)
		s.next = max(s.next, n)
	}
}
