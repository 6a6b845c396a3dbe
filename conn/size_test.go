package conn

import (
	"reflect"
	"testing"
)

// TestSize holds a Conn to the size class that it is in: the next one costs every idle
// connection 32 octets more.
func TestSize(t *testing.T) {
	const class = 384
	if n := reflect.TypeFor[Conn]().Size(); n > class {
		t.Errorf("a Conn takes %d octets, more than %d", n, class)
	}
}

// TestCacheLine holds what a broadcast touches of each recipient to one cache
// line, with which a Conn begins: its size class is a multiple of one.
func TestCacheLine(t *testing.T) {
	const line = 64
	conn := reflect.TypeFor[Conn]()
	out, _ := conn.FieldByName("out")
	for _, name := range []string{"c", "deflate", "try", "token", "corks", "serial"} {
		f, ok := out.Type.FieldByName(name)
		if end := out.Offset + f.Offset + f.Type.Size(); !ok || end > line {
			t.Errorf("%s ends at octet %d of a Conn, want %d at most", name, end, line)
		}
	}
	if limits, _ := conn.FieldByName("settings"); limits.Offset+limits.Type.Size() > line {
		t.Errorf("settings is at octet %d of a Conn", limits.Offset)
	}
}
