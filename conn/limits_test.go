package conn

import (
	"testing"
	"time"
)

// Connections with the same limits share them, others don't.
func TestSharedLimits(t *testing.T) {
	a := Limits{PingInterval: -1, Message: 7}
	first := a.withDefaults()
	if second := a.withDefaults(); second != first {
		t.Error("the same limits are made twice")
	}
	b := a
	b.CloseTimeout = time.Minute
	if other := b.withDefaults(); other == first || *other != b.resolve() || *first != a.resolve() {
		t.Errorf("limits %+v and %+v", *first, *other)
	}
	if byDefault := (Limits{}).withDefaults(); byDefault != &defaultLimits {
		t.Error("the default limits are made again")
	}
}
