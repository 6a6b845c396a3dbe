package histogram

import "testing"

func TestHistogram(t *testing.T) {
	var h Histogram
	for v := range int64(100_000) {
		h.Add(v, 1)
	}
	for q, want := range map[float64]int64{0: 0, 0.5: 50_000, 0.99: 99_000} {
		if got := h.Quantile(q); got > want || got < want-want/steps-1 {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
	for b := range h.counts {
		if got := bucket(floor(b)); got != b {
			t.Fatalf("bucket %d begins with %d, which is in bucket %d", b, floor(b), got)
		}
	}
}
