package handshake

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Accept answers a WebSocket handshake that net/http has read (RFC 6455, section
// 4.2) and takes the connection over. o may be nil.
//
// If Accept refuses the request, it has written the response, with Connection:
// close, and the error is an *Error. Any other error comes from the connection,
// which is then closed, or says that a handler has taken the connection over
// before. In every case the handler has nothing left to do but return.
//
// Header fields that were set on w before go out with the response as net/http
// would send them, but for those that the handshake sets itself. A type that
// wraps the server's ResponseWriter needs an Unwrap method, as
// http.ResponseController describes; otherwise Accept refuses with 501, and the
// error names that type.
func Accept(w http.ResponseWriter, r *http.Request, o *Options) (*Result, error) {
	if o == nil {
		o = &noOptions
	}
	q := request{options: o}
	hookHeader, refusal := q.readHTTP(r)
	if refusal != nil {
		refusal.write(w, r)
		return nil, refusal
	}
	q.answerKey()
	nc, rw, err := hijack(w)
	if err != nil {
		if refusal = notHijacked(err); refusal != nil {
			refusal.write(w, r)
			return nil, refusal
		}
		return nil, fmt.Errorf("websocket: accept: %w", err)
	}
	res, err := q.open(w, r, hookHeader, nc, rw)
	if err != nil {
		return nil, fmt.Errorf("websocket: accept: %w", err)
	}
	return res, nil
}

// open answers the request on the connection that was taken over. Unless it
// returns a result, it closes the connection, even if a method of the connection
// panics: net/http would not.
func (q *request) open(w http.ResponseWriter, r *http.Request, hookHeader http.Header, nc net.Conn, rw *bufio.ReadWriter) (res *Result, err error) {
	defer func() {
		if res == nil {
			abort(nc)
		}
	}()
	agreed := q.result()
	agreed.Conn, agreed.Target, agreed.Header = nc, target(r), r.Header
	if n := rw.Reader.Buffered(); n > 0 {
		p, _ := rw.Reader.Peek(n)
		agreed.Buffered = bytes.Clone(p)
	}
	b := q.appendResponse(rw.Writer.AvailableBuffer())
	b = appendFree(b, w.Header())
	b = appendHeader(b, hookHeader)
	b = append(b, "\r\n"...)
	g := guarded(nc, q.options.Limits.timeout())
	_, err = nc.Write(b)
	if err = g.stop(err); err != nil {
		return nil, err
	}
	return agreed, nil
}

// target returns the target of the request as the client sent it.
func target(r *http.Request) string {
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// readHTTP checks the options and the request, and returns the fields that
// Options.Before adds.
func (q *request) readHTTP(r *http.Request) (http.Header, *Error) {
	o := q.options
	var origin []byte
	if v := r.Header[fieldOrigin]; len(v) > 0 {
		origin = []byte(v[0])
	}
	allowed, err := o.judge(origin, []byte(r.Host), r.TLS != nil)
	if err != nil {
		return nil, badOption(err)
	}
	switch {
	case r.ProtoMajor != 1:
		// RFC 8441 would need extended CONNECT, which net/http does not pass on.
		return nil, refuse(http.StatusNotImplemented, "WebSocket over "+r.Proto+" is not supported, want HTTP/1.1")
	case r.Method != http.MethodGet:
		return nil, badMethod(r.Method)
	case r.ProtoMinor == 0: // RFC 6455, section 4.2.1, item 1
		return nil, badRequest("HTTP version is " + quote([]byte(r.Proto)) + ", want HTTP/1.1")
	case r.Host == "":
		return nil, badRequest("no Host field, want one")
	case len(r.TransferEncoding) > 0:
		return nil, hasBody("Transfer-Encoding", []byte(strings.Join(r.TransferEncoding, ", ")))
	case r.ContentLength != 0:
		return nil, hasBody("Content-Length", strconv.AppendInt(nil, r.ContentLength, 10))
	}
	q.readFields(r.Header)
	if e := q.check(func() http.Header { return r.Header }); e != nil {
		return nil, e
	}
	if o.CheckOrigin != nil {
		allowed = o.CheckOrigin(r)
	}
	if !allowed {
		return nil, badOrigin(origin, []byte(r.Host))
	}
	return o.before(r)
}

// hasBody returns the refusal of a request with a body, which the field announces.
func hasBody(field string, value []byte) *Error {
	return badRequest(field + " is " + quote(value) + ", want a request without a body")
}

// readFields adds the fields of a header.
func (q *request) readFields(h http.Header) {
	for _, v := range h[fieldUpgrade] {
		q.addUpgrade([]byte(v))
	}
	for _, v := range h[fieldConnection] {
		q.addConnection([]byte(v))
	}
	for _, v := range h[fieldVersion] {
		q.addVersion([]byte(v))
	}
	for _, v := range h[fieldKey] {
		q.addKey([]byte(v))
	}
	for _, v := range h[fieldProtocol] {
		q.addProtocol([]byte(v))
	}
	for _, v := range h[fieldExtensions] {
		q.addExtensions([]byte(v))
	}
	q.origins = len(h[fieldOrigin])
}

// appendFree appends the fields that were set on a ResponseWriter, but for those
// that the handshake sets itself. It treats them as net/http does. It leaves out a
// name that is not a token, which a name with http.TrailerPrefix never is. In a
// value it replaces CR and LF by spaces and trims white space.
func appendFree(b []byte, h http.Header) []byte {
	if len(h) == 0 {
		return b
	}
	free := make(http.Header, len(h))
	for name, values := range h {
		if !isToken([]byte(name)) || isReserved(name) {
			continue
		}
		for _, v := range values {
			free[name] = append(free[name], strings.Trim(lineBreaks.Replace(v), " \t"))
		}
	}
	return appendHeader(b, free)
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

// write sends the refusal through net/http, which then closes the connection. A
// connection of HTTP/2 stays open, because other requests use it.
func (e *Error) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	maps.Copy(h, e.Header)
	if r.ProtoMajor == 1 {
		h["Connection"] = e.connection()
	}
	http.Error(w, e.text(), e.Status)
}
