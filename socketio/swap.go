package socketio

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
)

// A swap replaces the binary data in one argument by tokens, before encoding/json
// writes it.
type swap struct {
	*swapper                // nil until the first token is made
	path     map[visit]bool // the values that lead to the one being looked at
}

// A visit identifies a pointer, map or slice by where it points to.
type visit struct {
	at  uintptr
	len int
	typ reflect.Type
}

// swapBinary returns a copy of v with tokens in place of the binary data in it, and
// the swapper that knows the tokens. If there is no binary data it returns v itself
// and nil. It does not modify v: everything that leads to a token is copied.
func swapBinary(v any) (any, *swapper) {
	rv := reflect.ValueOf(v)
	if !mayHoldBinary(rv.Type()) {
		return v, nil
	}
	var s swap
	out, changed := s.value(rv)
	if !changed {
		return v, nil
	}
	return out.Interface(), s.swapper
}

// value returns v with tokens, and whether there are any.
func (s *swap) value(v reflect.Value) (reflect.Value, bool) {
	if !mayHoldBinary(v.Type()) {
		return v, false
	}
	switch v.Kind() {
	case reflect.Slice:
		if isBytes(v.Type()) {
			return s.bytes(v)
		}
		return s.guard(v, v.Len(), s.elements)
	case reflect.Array:
		return s.elements(v)
	case reflect.Interface:
		if v.IsNil() {
			return v, false
		}
		return s.value(v.Elem())
	case reflect.Pointer:
		return s.guard(v, 0, s.pointer)
	case reflect.Map:
		return s.guard(v, 0, s.entries)
	default:
		return s.fields(v)
	}
}

// guard calls f unless v is nil or leads to itself. Such a value stays as it is, for
// encoding/json to write or to refuse.
func (s *swap) guard(v reflect.Value, n int, f func(reflect.Value) (reflect.Value, bool)) (reflect.Value, bool) {
	if v.IsNil() {
		return v, false
	}
	here := visit{v.Pointer(), n, v.Type()}
	if s.path[here] {
		return v, false
	}
	if s.path == nil {
		s.path = map[visit]bool{}
	}
	s.path[here] = true
	defer delete(s.path, here)
	return f(v)
}

func (s *swap) bytes(v reflect.Value) (reflect.Value, bool) {
	if v.IsNil() {
		return v, false
	}
	if s.swapper == nil {
		s.swapper = newSwapper()
	}
	s.values = append(s.values, v.Bytes())
	token := s.token(len(s.values) - 1)
	return reflect.ValueOf(token).Convert(v.Type()), true
}

func (s *swap) pointer(v reflect.Value) (reflect.Value, bool) {
	elem, changed := s.value(v.Elem())
	if !changed {
		return v, false
	}
	out := reflect.New(v.Type().Elem())
	out.Elem().Set(elem)
	return out, true
}

// elements looks into a slice or array, which it copies at the first token.
func (s *swap) elements(v reflect.Value) (reflect.Value, bool) {
	out, changed := v, false
	for i := range v.Len() {
		elem, swapped := s.value(v.Index(i))
		if !swapped {
			continue
		}
		if !changed {
			out, changed = copyElements(v), true
		}
		out.Index(i).Set(elem)
	}
	return out, changed
}

func copyElements(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Array {
		return copyValue(v)
	}
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(out, v)
	return out
}

// copyValue returns a copy of v whose parts can be set.
func copyValue(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	return out
}

func (s *swap) entries(v reflect.Value) (reflect.Value, bool) {
	out, changed := v, false
	for key, val := range v.Seq2() {
		elem, swapped := s.value(val)
		if !swapped {
			continue
		}
		if !changed {
			out, changed = reflect.MakeMapWithSize(v.Type(), v.Len()), true
			for key, val := range v.Seq2() {
				out.SetMapIndex(key, val)
			}
		}
		out.SetMapIndex(key, elem)
	}
	return out, changed
}

// fields looks into the fields that encoding/json writes.
func (s *swap) fields(v reflect.Value) (reflect.Value, bool) {
	out, changed := v, false
	s.fieldsOf(v, func() reflect.Value {
		if !changed {
			out, changed = copyValue(v), true
		}
		return out
	})
	return out, changed
}

// fieldsOf sets the fields of v that lead to a token in the copy of v that target
// returns. An embedded struct whose type is not exported can't be set as a whole,
// only field by field.
func (s *swap) fieldsOf(v reflect.Value, target func() reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, more := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && !more:
		case f.IsExported():
			elem, swapped := s.value(v.Field(i))
			promoted := name == "" && embedsStruct(f)
			if swapped && (promoted || !omitted(v.Field(i), strings.Split(options, ","))) {
				target().Field(i).Set(elem)
			}
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			s.fieldsOf(v.Field(i), func() reflect.Value { return target().Field(i) })
		}
	}
}

// A zeroer says whether a field with the option omitzero is left out.
type zeroer interface{ IsZero() bool }

var zeroerType = reflect.TypeFor[zeroer]()

// omitted reports whether encoding/json leaves out a field, whose tag has options and whose
// value v holds binary data. It does if v is empty, or if v's own IsZero says that it is
// zero. A copy of v with tokens might be neither.
func omitted(v reflect.Value, options []string) bool {
	if slices.Contains(options, "omitempty") && isBytes(v.Type()) && v.Len() == 0 {
		return true
	}
	if !slices.Contains(options, "omitzero") {
		return false
	}
	if k := v.Kind(); k != reflect.Pointer && k != reflect.Interface {
		v = copyValue(v).Addr() // which has all methods
	}
	return v.Type().Implements(zeroerType) && v.Interface().(zeroer).IsZero()
}

// placeholders replaces the tokens in the text that was appended from start on by
// placeholders. They are numbered in their order in the text.
func (e *encoder) placeholders(start int, s *swapper) error {
	written := bytes.Clone(e.buf[start:])
	e.buf = e.buf[:start]
	quoted := append([]byte{'"'}, s.text[:]...)
	for {
		i := bytes.Index(written, quoted)
		if i < 0 {
			e.buf = append(e.buf, written...)
			return nil
		}
		end := i + 1 + tokenText
		data, _ := s.lookupText(written[i+1 : end])
		e.buf = append(e.buf, written[:i]...)
		if err := e.placeholder(data); err != nil {
			return err
		}
		written = written[end+1:]
	}
}
