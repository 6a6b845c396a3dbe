package redisstreams

import (
	"strconv"
	"strings"
)

// An offset says which events a client has received: those up to an entry of the stream,
// and beyond it those of one server up to a number, whose entries were not in the stream
// yet. The second part is seldom there. Servers in Node know the first part alone, and
// refuse an offset that has both.
//
//	1764300000000-0                        up to this entry
//	1764300000000-0+0123456789abcdef.42    and the first 42 events of a server
type offset struct {
	id, uid string
	n       uint64
}

// origin is the position before all entries.
const origin = "0-0"

const uidSize = 16 // of cluster.NewUID

// parseOffset reads an offset exactly as String writes it.
func parseOffset(s string) (o offset, ok bool) {
	id, rest, both := strings.Cut(s, "+")
	if ms, n := parts(id); id != format(ms, n) {
		return o, false
	}
	if !both {
		return offset{id: id}, true
	}
	uid, digits, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(digits, 10, 64)
	o = offset{id, uid, n}
	return o, err == nil && len(uid) == uidSize && n > 0 && o.String() == s
}

func (o offset) String() string {
	if o.n == 0 {
		return o.id
	}
	return o.id + "+" + o.uid + "." + strconv.FormatUint(o.n, 10)
}

// covers reports whether an event is among those that were received. One without an id is
// later than any entry.
func (o offset) covers(e *raw) bool {
	return e.id != "" && !less(o.id, e.id) || e.number > 0 && e.number <= o.n && e.uid == o.uid
}

// less reports whether the entry a comes before b.
func less(a, b string) bool {
	a1, a2 := parts(a)
	b1, b2 := parts(b)
	return a1 < b1 || a1 == b1 && a2 < b2
}

// later returns the later one of two positions; "" is before all.
func later(a, b string) string {
	if a == "" || b != "" && less(a, b) {
		return b
	}
	return a
}

func parts(id string) (ms, n uint64) {
	first, second, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(first, 10, 64)
	n, _ = strconv.ParseUint(second, 10, 64)
	return ms, n
}

func format(ms, n uint64) string {
	return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(n, 10)
}
