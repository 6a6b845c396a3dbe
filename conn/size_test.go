package conn

import (
	"reflect"
	"testing"
)

// TestSize holds a Conn to the size class that it is in: the next one costs
// every idle connection 128 octets more.
func TestSize(t *testing.T) {
	const class = 896
	if n := reflect.TypeFor[Conn]().Size(); n > class {
		t.Errorf("a Conn takes %d octets, more than %d", n, class)
	}
}
