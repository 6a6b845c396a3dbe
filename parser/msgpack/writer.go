package msgpack

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/parleyws/parley/parser"
	"github.com/tinylib/msgp/msgp"
)

// Encode implements parser.Parser. There are no attachments: the binary data is in
// the message.
func (Parser) Encode(p *parser.Packet) (message []byte, attachments [][]byte) {
	fields := uint32(2)
	if len(p.Data) > 0 {
		fields++
	}
	if p.HasID {
		fields++
	}
	w := writer{out: p.Scratch[:0], json: p.Data, binary: p.Binary, placeholders: p.Placeholders}
	w.out = msgp.AppendMapHeader(w.out, fields)
	w.out = msgp.AppendString(w.out, "type")
	w.out = msgp.AppendUint64(w.out, uint64(p.Type))
	w.out = msgp.AppendString(w.out, "nsp")
	w.out = msgp.AppendStringFromBytes(w.out, p.Namespace)
	if p.HasID {
		w.out = msgp.AppendString(w.out, "id")
		w.out = msgp.AppendUint64(w.out, p.ID)
	}
	if len(p.Data) > 0 {
		w.out = msgp.AppendString(w.out, "data")
		w.value()
	}
	p.Scratch = w.out
	return w.out, nil
}

// A writer writes JSON as MessagePack. The JSON is legal: encoding/json has made or
// checked it.
type writer struct {
	out          []byte
	json         []byte
	i            int // index of the next byte of json
	binary       [][]byte
	placeholders []parser.Placeholder // those that begin at i or later
}

// next returns the next byte that begins a value or ends a container.
func (w *writer) next() byte {
	for {
		switch c := w.json[w.i]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			w.i++
		default:
			return c
		}
	}
}

// value writes the next value.
func (w *writer) value() {
	c := w.next()
	if len(w.placeholders) > 0 && w.placeholders[0].Start == w.i {
		w.out = msgp.AppendBytes(w.out, w.binary[w.placeholders[0].Num])
		w.i = w.placeholders[0].End
		w.placeholders = w.placeholders[1:]
		return
	}
	switch c {
	case '"':
		w.str()
	case '[':
		w.container(']', 1, msgp.AppendArrayHeader)
	case '{':
		w.container('}', 2, msgp.AppendMapHeader)
	case 't':
		w.i += len("true")
		w.out = msgp.AppendBool(w.out, true)
	case 'f':
		w.i += len("false")
		w.out = msgp.AppendBool(w.out, false)
	case 'n':
		w.i += len("null")
		w.out = msgp.AppendNil(w.out)
	default:
		w.number()
	}
}

// container writes an array or object up to its bracket. Each element is so many
// values. The header comes before the elements, but depends on their number: there
// is room for a short one, and a longer one moves the elements.
func (w *writer) container(bracket byte, values int, header func([]byte, uint32) []byte) {
	w.i++
	start := len(w.out)
	w.out = append(w.out, 0)
	n := 0
	for ; w.next() != bracket; n++ {
		w.value()
	}
	w.i++
	n /= values
	if n < 16 {
		header(w.out[:start], uint32(n))
		return
	}
	w.out = slices.Replace(w.out, start, start+1, header(nil, uint32(n))...)
}

func (w *writer) str() {
	end := w.i + 1
	escaped := false
	for w.json[end] != '"' {
		if w.json[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	end++
	text := w.json[w.i:end]
	w.i = end
	if !escaped {
		w.out = msgp.AppendStringFromBytes(w.out, text[1:len(text)-1])
		return
	}
	var s string
	json.Unmarshal(text, &s) // can't fail
	w.out = msgp.AppendString(w.out, s)
}

// number writes an integer as one if it fits, like the JavaScript encoder, and
// anything else as a float64.
func (w *writer) number() {
	text := w.json[w.i:]
	if end := bytes.IndexAny(text, ",]} \t\r\n"); end >= 0 {
		text = text[:end]
	}
	w.i += len(text)
	negative := text[0] == '-'
	if integer := !bytes.ContainsAny(text, ".eE"); integer && !negative {
		if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			w.out = msgp.AppendUint64(w.out, n)
			return
		}
	} else if integer {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && n < 0 { // not -0
			w.out = msgp.AppendInt64(w.out, n)
			return
		}
	}
	f, _ := strconv.ParseFloat(string(text), 64) // an infinity if it is too large
	w.out = msgp.AppendFloat64(w.out, f)
}
