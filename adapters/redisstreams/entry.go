package redisstreams

import "github.com/parleyws/parley/parser"

var (
	errEntry error = &parser.Error{Reason: "entry of a stream without its sender or type"}
	errLarge error = &parser.Error{Reason: "message is larger than MaxMessage"}
)

// An entry is what a stream has, as far as it matters. Its memory is used again.
type entry struct {
	id, uid, namespace, typ, data []byte
	number                        []byte // of an event that clients may miss; servers in Node have none
	large                         bool   // the data was too large and is left out
	name                          []byte
}

// Bounds of what is read, in bytes.
const (
	maxID    = 64
	maxField = 1 << 20 // of what is no data
)

// entries reads n entries and calls f, which may be nil, for each. Those that come before an
// error have been handed over.
func (r *reader) entries(n int, f func(*entry)) error {
	defer r.batch.Flush()
	for i := range n {
		r.batch.More(i < n-1)
		if err := r.next(); err != nil {
			return err
		}
		if f != nil {
			f(&r.entry)
		}
	}
	return nil
}

// next reads an entry: its id, and an array of names and values.
func (r *reader) next() error {
	e := &r.entry
	e.uid, e.namespace, e.typ, e.large = e.uid[:0], e.namespace[:0], e.typ[:0], false
	e.number = e.number[:0]
	if e.data = e.data[:0]; cap(e.data) > maxKept {
		e.data = nil
	}
	n, err := r.answers.Array()
	if err == nil && n != 2 {
		err = errAnswer
	}
	if err == nil {
		e.id, err = r.answers.Word(e.id[:0], maxID)
	}
	if err != nil {
		return err
	}
	if n, err = r.answers.Array(); err != nil {
		return err
	}
	for ; n > 1; n -= 2 {
		if err := r.field(); err != nil {
			return err
		}
	}
	return nil
}

// field reads a field of an entry.
func (r *reader) field() (err error) {
	e, a := &r.entry, r.answers
	if e.name, err = a.Word(e.name[:0], maxField); err != nil {
		return err
	}
	switch string(e.name) {
	case "uid":
		e.uid, err = a.Word(e.uid[:0], maxField)
	case "nsp":
		e.namespace, err = a.Word(e.namespace[:0], maxField)
	case "type":
		e.typ, err = a.Word(e.typ[:0], maxField)
	case "n":
		e.number, err = a.Word(e.number[:0], maxField)
	case "data":
		var ok bool
		e.data, ok, err = a.WordOrSkip(e.data[:0], r.s.o.MaxMessage)
		e.large = !ok
	default: // somebody else's
		_, _, err = a.WordOrSkip(nil, 0)
	}
	return err
}
