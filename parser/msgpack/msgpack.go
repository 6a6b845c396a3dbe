// Package msgpack is the form of Socket.IO packets that the npm package
// socket.io-msgpack-parser speaks, version 3, for clients of Socket.IO 3 and 4:
// MessagePack instead of JSON, and one binary message for a packet with all its
// binary data.
//
//	io, err := socketio.NewServer(&socketio.Options{Parser: msgpack.Parser{}})
//
// In the JavaScript client:
//
//	import * as parser from "socket.io-msgpack-parser";
//	const socket = io("https://example.com", { parser });
//
// # Values
//
// The same handlers work with the text form and with this one. A value that is sent
// is what encoding/json makes of it, written as MessagePack, so that the tags json
// and methods as MarshalJSON count; a []byte is bin. A value that is received is
// what JSON.stringify would have made of it in the client, for encoding/json to
// read:
//
//	| JavaScript                           | in Go                                        |
//	|--------------------------------------|----------------------------------------------|
//	| number                               | number                                       |
//	| NaN, Infinity                        | null                                         |
//	| Buffer, Uint8Array, ArrayBuffer      | []byte                                       |
//	| Date                                 | string as time.Time reads it, with Z         |
//	| undefined, in an array or by itself  | null                                         |
//	| undefined, as a property             | nothing                                      |
//
// Some values can't be sent with version 3.0.2 of the npm package. It breaks numbers
// without a fraction that don't fit 64 bits, such as 1e300. Of a typed array that is
// no Buffer it sends the whole ArrayBuffer in Node, and in browsers an object of
// numbers: send an ArrayBuffer there.
package msgpack

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/parleyws/parley/parser"
	"github.com/tinylib/msgp/msgp"
)

// Parser is the parser, for socketio.Options.
type Parser struct{}

// Binary implements parser.Parser.
func (Parser) Binary() bool { return true }

// Errors of Parse beside those of package parser.
var (
	errMsgpack   error = &parser.Error{Reason: "packet is not MessagePack"}
	errMap       error = &parser.Error{Reason: "packet is not a map"}
	errTwice     error = &parser.Error{Reason: "field of a packet is there twice"}
	errMissing   error = &parser.Error{Reason: "packet without type or namespace"}
	errNamespace error = &parser.Error{Reason: "namespace is not a string with a slash"}
	errKey       error = &parser.Error{Reason: "key of a map is not a string or an integer"}
	errTrailing  error = &parser.Error{Reason: "bytes after the packet"}
	errAuth      error = &parser.Error{Reason: "auth is an array"}
	errData      error = &parser.Error{Reason: "data of a packet is not an array, a map or a string"}
)

// The fields of a packet.
const (
	fieldType = 1 << iota
	fieldNamespace
	fieldID
	fieldData
)

// Parse implements parser.Parser. Errors are of type *parser.Error.
//
// The JSON that it makes of a message takes at most six times as many bytes,
// without the placeholders.
func (Parser) Parse(p *parser.Packet, message []byte, l parser.Limits) error {
	p.Reset()
	r := reader{b: message, p: p, limits: l}
	if msgp.NextType(r.b) != msgp.MapType {
		return errMap
	}
	n, err := r.mapHeader()
	if err != nil {
		return err
	}
	seen := 0
	for range n {
		field, err := r.field()
		if err != nil {
			return err
		}
		if seen&field != 0 {
			return errTwice
		}
		seen |= field
	}
	switch {
	case len(r.b) > 0:
		return errTrailing
	case seen&fieldType == 0 || seen&fieldNamespace == 0:
		return errMissing
	case p.Type == parser.Connect && len(p.Args) > 0:
		return errAuth // embed would move what Args names
	}
	if p.Type == parser.Connect {
		embed(p)
	}
	return nil
}

// field reads a field of a packet and says which it was; 0 is one that has no
// meaning here, such as the options of the JavaScript client.
func (r *reader) field() (int, error) {
	key, err := r.str()
	if err != nil {
		return 0, errKey
	}
	switch string(key) {
	case "type":
		return fieldType, r.packetType()
	case "nsp":
		return fieldNamespace, r.namespace()
	case "id":
		return fieldID, r.id()
	case "data":
		return fieldData, r.data()
	}
	return 0, r.skip(1)
}

func (r *reader) packetType() error {
	n, ok := r.integer()
	if !ok || n > uint64(parser.ConnectError) {
		return parser.ErrType
	}
	r.p.Type = parser.Type(n)
	return nil
}

func (r *reader) namespace() error {
	name, err := r.str()
	if err != nil || len(name) == 0 || name[0] != '/' || !utf8.Valid(name) {
		return errNamespace
	}
	r.p.Namespace = append(r.p.Namespace, name...)
	return nil
}

func (r *reader) id() error {
	if r.nothing() {
		return nil
	}
	n, ok := r.integer()
	if !ok || n > parser.MaxID {
		return parser.ErrID
	}
	r.p.HasID, r.p.ID = true, n
	return nil
}

// data reads the arguments of a packet, or whatever it has instead.
func (r *reader) data() error {
	if r.nothing() {
		return nil
	}
	switch msgp.NextType(r.b) {
	case msgp.MapType, msgp.StrType:
		return r.value(1)
	case msgp.ArrayType:
	default:
		return errData
	}
	return r.array(1, true)
}

// embed writes the binary data of p into its JSON, as encoding/json does: the auth
// of a client is JSON and nothing else.
func embed(p *parser.Packet) {
	if len(p.Placeholders) == 0 {
		return
	}
	var out []byte
	at := 0
	for _, h := range p.Placeholders {
		out = append(append(out, p.Data[at:h.Start]...), '"')
		out = append(base64.StdEncoding.AppendEncode(out, p.Binary[h.Num]), '"')
		at = h.End
	}
	p.Data = append(out, p.Data[at:]...)
	clear(p.Binary)
	p.Placeholders, p.Binary = p.Placeholders[:0], p.Binary[:0]
}
