package nodewire

import (
	"strings"
	"testing"

	"github.com/parleyws/parley/adapters/internal/cluster"
)

// The parts of a message come in any order. Of several of the same name the last one counts.
func TestOrder(t *testing.T) {
	const (
		typ, uid, nsp = `"type":3`, `"uid":"u"`, `"nsp":"/"`
		data          = `"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":["a"]}}`
		other         = `"data":{"packet":{"type":2,"data":["f"]},"opts":{"rooms":["b"],"flags":{"volatile":true}}}`
	)
	for _, tt := range []struct {
		parts []string
		room  string // "": it is refused
	}{
		{[]string{typ, data, uid, nsp}, "a"},
		{[]string{uid, nsp, typ, data}, "a"},
		{[]string{data, nsp, uid, typ}, "a"},
		{[]string{typ, other, data, uid, nsp}, "a"},
		{[]string{data, typ, other, uid, nsp}, "b"},
		{[]string{`"type":13`, typ, data, uid, nsp}, "a"},
		{[]string{`"type":9`, data, typ, uid, nsp}, "a"},
		{[]string{typ, data, `"type":4`, uid, nsp}, ""},
		{[]string{typ, data, uid}, ""},
		{[]string{typ, data, `"uid":null`, nsp}, ""},
		{[]string{data, uid, nsp}, ""},
		{[]string{typ, uid, nsp}, ""},
		{[]string{typ, `"data":[]`, uid, nsp}, ""},
		{[]string{typ, `"data":null`, uid, nsp}, ""},
	} {
		text := "{" + strings.Join(tt.parts, ",") + "}"
		var d Decoder
		d.Decode([]byte("{" + strings.Join([]string{typ, `"uid":"before"`, `"nsp":"/before"`, other}, ",") + "}"))
		namespace, m, err := d.Decode([]byte(text))
		if (err == nil) != (tt.room != "") {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err == nil && (namespace != "/" || m.UID != "u" || m.Type != cluster.Broadcast || len(m.Target.Rooms) != 1 ||
			m.Target.Rooms[0] != tt.room || m.Target.Flags.Volatile != (tt.room == "b")) {
			t.Errorf("%s: %q, %+v", text, namespace, m)
		}
	}
}
