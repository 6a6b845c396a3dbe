package conn

import "testing"

// TestKnownOptions: connections with the same options share settings, and those that are known
// are few, however many options there are.
func TestKnownOptions(t *testing.T) {
	const many = 3 * mostKnown
	loop := &Loop{}
	settings := func(n int) *settings {
		return must((&Options{Limits: Limits{Message: int64(n + 1)}, Loop: loop}).settings())
	}
	forgotten := 0
	for n := range many {
		first := settings(n)
		settings(n + 1)
		if settings(n) != first {
			forgotten++
		}
	}
	if forgotten > many/mostKnown+1 {
		t.Errorf("%d of %d settings were not shared", forgotten, many)
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if n := len(known.settings); n > mostKnown {
		t.Errorf("%d settings are known, more than %d", n, mostKnown)
	}
}
