package conn

import (
	"reflect"
	"testing"
)

// TestSize holds a Conn to the size class that it is in: the next one costs every idle
// connection 32 bytes more.
func TestSize(t *testing.T) {
	const class = 240
	if n := reflect.TypeFor[Conn]().Size(); n > class {
		t.Errorf("a Conn takes %d bytes, more than %d", n, class)
	}
}

// TestCacheLine holds what a broadcast touches of each recipient to one cache
// line, with which a Conn begins: its size class is a multiple of one.
func TestCacheLine(t *testing.T) {
	const line = 64
	conn := reflect.TypeFor[Conn]()
	out, _ := conn.FieldByName("out")
	for _, name := range []string{"c", "token", "corks", "tries", "serial", "backlog"} {
		f, ok := out.Type.FieldByName(name)
		if end := out.Offset + f.Offset + f.Type.Size(); !ok || end > line {
			t.Errorf("%s ends at byte %d of a Conn, want %d at most", name, end, line)
		}
	}
	for _, name := range []string{"settings", "terms"} {
		if f, _ := conn.FieldByName(name); f.Offset+f.Type.Size() > line {
			t.Errorf("%s is at byte %d of a Conn", name, f.Offset)
		}
	}
}
