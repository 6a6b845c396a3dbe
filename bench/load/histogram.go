package main

import "math/bits"

// A histogram counts durations in nanoseconds, to one part in 128.
type histogram struct {
	counts [(64 - stepBits) * steps]int
	n      int
}

const (
	stepBits = 7
	steps    = 1 << stepBits
)

// add counts the duration v n times.
func (h *histogram) add(v int64, n int) {
	h.counts[bucket(v)] += n
	h.n += n
}

// bucket returns the index of v's bucket: the magnitude of v, and the stepBits
// bits after its first bit.
func bucket(v int64) int {
	if v < steps {
		return int(max(v, 0))
	}
	magnitude := bits.Len64(uint64(v)) - stepBits
	return magnitude<<stepBits + int(v>>(magnitude-1))&(steps-1)
}

// floor returns the least duration of a bucket.
func floor(b int) int64 {
	magnitude := b >> stepBits
	if magnitude == 0 {
		return int64(b)
	}
	return int64(steps+b&(steps-1)) << (magnitude - 1)
}

// quantile returns the duration that the fraction q of all durations does not exceed.
func (h *histogram) quantile(q float64) int64 {
	left := int(q * float64(h.n))
	for b, n := range h.counts {
		if left -= n; left < 0 {
			return floor(b)
		}
	}
	return 0
}
