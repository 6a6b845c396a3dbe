// Package histogram counts durations in little memory.
package histogram

import "math/bits"

// A Histogram counts durations in nanoseconds, to one part in 128.
type Histogram struct {
	counts [(64 - stepBits) * steps]int
	n      int
}

const (
	stepBits = 7
	steps    = 1 << stepBits
)

// Add counts the duration v n times.
func (h *Histogram) Add(v int64, n int) {
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

// Quantile returns the duration that the fraction q of all durations does not exceed.
func (h *Histogram) Quantile(q float64) int64 {
	left := int(q * float64(h.n))
	for b, n := range h.counts {
		if left -= n; left < 0 {
			return floor(b)
		}
	}
	return 0
}

// Len returns how many durations were counted.
func (h *Histogram) Len() int { return h.n }

// Merge adds the durations of o.
func (h *Histogram) Merge(o *Histogram) {
	for b, n := range o.counts {
		h.counts[b] += n
	}
	h.n += o.n
}
