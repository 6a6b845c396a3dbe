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

// TestUseLoop: where a loop is to serve the connections of the tests it serves those of all options,
// but for those that name another Loop.
func TestUseLoop(t *testing.T) {
	defer func(before func() *Loop) { defaultLoop = before }(defaultLoop)
	UseLoop()
	given := &Loop{}
	for _, o := range []*Options{nil, {}, {LenientLength: true}, {Loop: given}} {
		s := must(o.settings())
		if s.loop == nil || o != nil && o.Loop != nil && s.loop != given {
			t.Errorf("%+v: the loop is %p", o, s.loop)
		}
	}
}

// TestLeastLimits: the least number that is a limit is one, in every field.
func TestLeastLimits(t *testing.T) {
	least := Limits{1, 1, 1, 1, 1, 1, 1, 1}
	if l := least.withDefaults(); l != least {
		t.Errorf("got %+v, want %+v", l, least)
	}
}
