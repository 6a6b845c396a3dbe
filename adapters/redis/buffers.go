package redisadapter

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// bufferHead begins what JSON.stringify makes of a Buffer: {"type":"Buffer","data":[1,2]}.
// In JSON these bytes can't be a part of a string, whose quotes would be escaped.
var bufferHead = []byte(`{"type":"Buffer","data":[`)

// plain returns JSON in which each attachment is as JSON.stringify has it.
func plain(e socketio.Encoded) json.RawMessage {
	if len(e.Placeholders) == 0 {
		return e.Data
	}
	size := len(e.Data)
	for _, a := range e.Attachments {
		size += 4 * len(a)
	}
	out := make([]byte, 0, size)
	at := 0
	for _, h := range e.Placeholders {
		out = append(append(out, e.Data[at:h.Start]...), bufferHead...)
		for i, c := range e.Attachments[h.Num] {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendUint(out, uint64(c), 10)
		}
		out = append(out, "]}"...)
		at = h.End
	}
	return append(out, e.Data[at:]...)
}

// binary undoes plain. data is legal JSON.
func binary(data json.RawMessage) socketio.Encoded {
	if !bytes.Contains(data, bufferHead) {
		return socketio.Encoded{Data: data}
	}
	e := socketio.Encoded{Data: make([]byte, 0, len(data))}
	for {
		i := bytes.Index(data, bufferHead)
		if i < 0 {
			e.Data = append(e.Data, data...)
			return e
		}
		piece, size := numbers(data[i+len(bufferHead):])
		if size == 0 || len(e.Attachments) >= maxAttachments {
			i += len(bufferHead)
			e.Data = append(e.Data, data[:i]...)
			data = data[i:]
			continue
		}
		e.Data = append(e.Data, data[:i]...)
		start, num := len(e.Data), len(e.Attachments)
		e.Data = parser.AppendPlaceholder(e.Data, num)
		span := parser.Span{Start: start, End: len(e.Data)}
		e.Placeholders = append(e.Placeholders, parser.Placeholder{Span: span, Num: num})
		e.Attachments = append(e.Attachments, piece)
		data = data[i+len(bufferHead)+size:]
	}
}

// numbers reads the bytes of a Buffer, up to the end of its object, and how long their
// text is. It is 0 if that is something else.
func numbers(text []byte) (piece []byte, size int) {
	piece = []byte{}
	n, digits := 0, 0
	for i, c := range text {
		switch {
		case '0' <= c && c <= '9' && digits < 3:
			n, digits = 10*n+int(c-'0'), digits+1
			continue
		case n > 255:
			return nil, 0
		case c == ',' && digits > 0:
			piece = append(piece, byte(n))
			n, digits = 0, 0
			continue
		case c == ']' && (digits > 0 || len(piece) == 0) && i+1 < len(text) && text[i+1] == '}':
			if digits > 0 {
				piece = append(piece, byte(n))
			}
			return piece, i + 2
		}
		return nil, 0
	}
	return nil, 0
}
