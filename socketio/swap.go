package socketio

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
)

// A swap replaces what is binary in one argument by tokens, before
// encoding/json writes it.
type swap struct {
	*swapper                // made with the first token
	path     map[visit]bool // what is above the value that is looked at
}

// A visit is a place in memory that a value leads through.
type visit struct {
	at  uintptr
	len int
	typ reflect.Type
}

// swapBinary returns v with tokens for what is binary in it, and who knows
// them: nil if there is nothing binary, and v as it was then. What leads to a
// token is copied, v is not modified.
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

// value returns v with tokens, and whether there is one.
func (s *swap) value(v reflect.Value) (reflect.Value, bool) {
	if !mayHoldBinary(v.Type()) {
		return v, false
	}
	switch v.Kind() {
	case reflect.Slice:
		if isBytes(v.Type()) {
			return s.octets(v)
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

// guard calls f unless v is nil or leads to itself: such a value stays, for
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

func (s *swap) octets(v reflect.Value) (reflect.Value, bool) {
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

// elements looks into a slice or array, and copies it at the first token.
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

// fieldsOf sets the fields of v that lead to a token in target's answer, a
// copy of v. An embedded struct whose type is not exported can't be set as a
// whole, only field by field.
func (s *swap) fieldsOf(v reflect.Value, target func() reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "" || omitted(v.Field(i), strings.Split(options, ",")):
		case f.IsExported():
			if elem, swapped := s.value(v.Field(i)); swapped {
				target().Field(i).Set(elem)
			}
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			s.fieldsOf(v.Field(i), func() reflect.Value { return target().Field(i) })
		}
	}
}

// omitted reports whether v is empty binary data of a field that encoding/json
// leaves out if empty: a token would bring it back.
func omitted(v reflect.Value, options []string) bool {
	return isBytes(v.Type()) && v.Len() == 0 && slices.Contains(options, "omitempty")
}

// placeholders replaces the tokens in the text that was written from start on
// by placeholders, numbered in the order in which they stand there.
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
