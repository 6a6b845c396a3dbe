package handshake

import (
	"net/http"
	"strconv"
)

// A request gathers what the handshake needs to know of a request's header (RFC
// 6455, section 4.2.1), one field at a time. It does not keep the memory that the
// fields are in.
type request struct {
	options *Options

	upgrade, connection     bool            // Upgrade has "websocket", Connection has "Upgrade"
	keys, versions, origins int             // the number of fields of each kind
	key                     acceptInput     // from the last key, if keyOK
	accept                  [acceptLen]byte // answers the key; set by answerKey
	keyOK, version13        bool            // the last key is valid, the last version is 13
	malformed               string          // what is wrong with a list field, "" if nothing is

	subprotocol int           // 1 + the index in options.Subprotocols, 0 for none
	agreed      bool          // on permessage-deflate
	deflate     Deflate       // the terms, if agreed
	answer      deflateParams // the response's parameters, if agreed
}

// The names of the fields that matter here, in canonical form.
const (
	fieldUpgrade    = "Upgrade"
	fieldConnection = "Connection"
	fieldKey        = "Sec-Websocket-Key"
	fieldAccept     = "Sec-Websocket-Accept"
	fieldVersion    = "Sec-Websocket-Version"
	fieldProtocol   = "Sec-Websocket-Protocol"
	fieldExtensions = "Sec-Websocket-Extensions"
	fieldOrigin     = "Origin"
)

func (q *request) addUpgrade(v []byte)    { q.upgrade = q.upgrade || hasToken(v, "websocket") }
func (q *request) addConnection(v []byte) { q.connection = q.connection || hasToken(v, "upgrade") }

func (q *request) addVersion(v []byte) {
	q.versions++
	q.version13 = string(v) == "13"
}

func (q *request) addKey(v []byte) {
	q.keys++
	if q.keyOK = validKey(v); q.keyOK {
		q.key.set(v)
	}
}

// addProtocol adds one Sec-WebSocket-Protocol field. It is a list of tokens, which
// may be spread over several fields (RFC 6455, section 11.3.4).
func (q *request) addProtocol(v []byte) {
	empty, v0 := true, v
	for len(v) > 0 {
		var name []byte
		if name, v = nextElement(v); len(name) == 0 {
			continue
		}
		empty = false
		if !isToken(name) {
			q.malformed = "Sec-WebSocket-Protocol is " + quote(v0) + ", of which " + quote(name) + " is not a token"
			return
		}
		for i, ours := range q.options.Subprotocols {
			if string(name) == ours && (q.subprotocol == 0 || i+1 < q.subprotocol) {
				q.subprotocol = i + 1
			}
		}
	}
	if empty {
		q.malformed = "Sec-WebSocket-Protocol is " + quote(v0) + ", which names no subprotocol"
	}
}

// addExtensions adds one Sec-WebSocket-Extensions field and accepts the first
// legal offer of permessage-deflate (RFC 7692, section 5). Illegal offers and
// other extensions are declined. A field that breaks the grammar fails the
// handshake (RFC 6455, section 9.1).
func (q *request) addExtensions(v []byte) {
	s := extensionScanner{in: v}
	for first := true; ; first = false {
		name, err := s.next()
		if name == nil && err == nil && !first {
			return
		}
		var offer deflateParams
		legal := false
		if name != nil {
			offer, legal, err = s.deflateParams()
		}
		if err != nil || name == nil {
			q.malformed = malformedExtensions(v)
			return
		}
		if legal && !q.agreed && q.options.Deflate != nil && string(name) == deflateName {
			q.agreed = true
			q.deflate, q.answer = q.options.Deflate.accept(offer)
		}
	}
}

// malformedExtensions says what is wrong with a Sec-WebSocket-Extensions field
// that breaks its grammar.
func malformedExtensions(v []byte) string {
	return "Sec-WebSocket-Extensions is " + quote(v) + ", which is " + errExtension.Error()
}

// check applies RFC 6455, section 4.2.1. It calls header only for the text of a
// refusal.
func (q *request) check(header func() http.Header) *Error {
	switch {
	case !q.upgrade:
		return upgradeRequired(wants("Upgrade", header()[fieldUpgrade], `"websocket"`))
	case !q.connection:
		return upgradeRequired(wants("Connection", header()[fieldConnection], `"Upgrade"`))
	case q.versions > 1:
		return badRequest(tooMany("Sec-WebSocket-Version", q.versions))
	case !q.version13:
		e := upgradeRequired(wants("Sec-WebSocket-Version", header()[fieldVersion], `"13"`))
		e.Header["Sec-WebSocket-Version"] = []string{"13"} // section 4.2.2, item 4
		return e
	case q.keys > 1:
		return badRequest(tooMany("Sec-WebSocket-Key", q.keys))
	case !q.keyOK:
		return badRequest(wants("Sec-WebSocket-Key", header()[fieldKey], "16 bytes in base64"))
	case q.origins > 1:
		return badRequest(tooMany("Origin", q.origins))
	case q.malformed != "":
		return badRequest(q.malformed)
	}
	return nil
}

// wants says which values a field has, if it came at all, and which it should have.
func wants(name string, values []string, want string) string {
	if len(values) == 0 {
		return "no " + name + " field, want " + want
	}
	return name + " is " + quoted(values) + ", want " + want
}

// tooMany says that a field came n times.
func tooMany(name string, n int) string {
	return strconv.Itoa(n) + " " + name + " fields, want one"
}

// upgradeRequired returns a refusal with 426 (RFC 9110, section 15.5.22).
func upgradeRequired(reason string) *Error {
	e := refuse(http.StatusUpgradeRequired, reason)
	e.Header = http.Header{"Upgrade": {"websocket"}}
	return e
}

// badMethod returns a refusal of a method other than GET.
func badMethod(method string) *Error {
	e := refuse(http.StatusMethodNotAllowed, "method is "+quote([]byte(method))+", want GET")
	e.Header = http.Header{"Allow": {http.MethodGet}}
	return e
}

// result returns the negotiated terms, in one allocation.
func (q *request) result() *Result {
	var res *Result
	if q.agreed {
		both := &struct {
			Result
			Deflate
		}{Deflate: q.deflate}
		res = &both.Result
		res.Deflate = &both.Deflate
	} else {
		res = new(Result)
	}
	if q.subprotocol > 0 {
		res.Subprotocol = q.options.Subprotocols[q.subprotocol-1]
	}
	return res
}

// answerKey computes the answer to the key. It is a step of its own so that
// nothing that could fail remains once the connection has been taken over.
func (q *request) answerKey() { q.key.append(q.accept[:0]) }

// appendResponse appends the head of the 101 response to b, without the empty line
// at its end (RFC 6455, section 4.2.2, item 5). answerKey must have been called.
func (q *request) appendResponse(b []byte) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\n"+
		"Upgrade: websocket\r\n"+
		"Connection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	b = append(b, q.accept[:]...)
	if q.subprotocol > 0 {
		b = append(b, "\r\nSec-WebSocket-Protocol: "...)
		b = append(b, q.options.Subprotocols[q.subprotocol-1]...)
	}
	if q.agreed {
		b = append(b, "\r\nSec-WebSocket-Extensions: "...)
		b = q.answer.append(b)
	}
	b = append(b, "\r\n"...)
	return appendHeader(b, q.options.Header)
}
