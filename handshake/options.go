package handshake

import (
	"math"
	"net/http"
	"time"
)

// Options configure Accept and AcceptConn. nil and the zero value are right for
// most: same-origin requests, no subprotocol, no compression. Options may be
// shared by any number of calls, which only read them.
type Options struct {
	// Subprotocols are those that the server speaks, the most preferred first.
	// The first that the client offers too is chosen; if there is none the
	// connection opens without one.
	Subprotocols []string
	// Origins are patterns of origins that are allowed besides that of the
	// server itself; see the package's section on origins.
	Origins []string
	// CheckOrigin replaces that rule, and Origins, if it is set. It is called
	// for every request, with or without an Origin field.
	CheckOrigin func(r *http.Request) bool
	// Header holds further fields of the 101 response. Those that the
	// handshake writes itself are refused, as are CR, LF and NUL.
	Header http.Header
	// Deflate offers permessage-deflate; nil declines it.
	Deflate *DeflateOptions
	// Before is called last, when all else is in order. It returns further
	// fields of the response, or an error to refuse the request: an *Error is
	// answered with its status, reason and header, any other with 403 and
	// nothing of its text. It must neither read the body nor keep r.
	Before func(r *http.Request) (http.Header, error)
	// Limits bound what a request may cost.
	Limits Limits
	// KeepHeader makes AcceptConn fill Result.Header, which costs a few
	// allocations. Accept always does.
	KeepHeader bool
}

// noOptions stands for nil.
var noOptions Options

// Limits bound what a request may cost AcceptConn before it is accepted. Zero
// means the default, a negative value no limit. Accept reads no octets itself,
// so that of these Timeout alone, for the response, applies to it.
type Limits struct {
	HeadBytes int           // request line and header together: 16 KiB
	LineBytes int           // each of their lines: 8 KiB
	Fields    int           // number of header fields: 100
	Timeout   time.Duration // from the call to the response, TLS handshake included: 10 s
}

// The defaults of Limits.
const (
	defaultHeadBytes = 16 << 10
	defaultLineBytes = 8 << 10
	defaultFields    = 100
	defaultTimeout   = 10 * time.Second
)

// limit returns v, the default for zero, and the greatest value for less.
func limit(v, def int) int {
	switch {
	case v == 0:
		return def
	case v < 0:
		return math.MaxInt
	}
	return v
}

// timeout returns how long a handshake may take, a negative time for no limit.
func (l *Limits) timeout() time.Duration {
	if l.Timeout == 0 {
		return defaultTimeout
	}
	return l.Timeout
}

// check tells what is wrong with the options, as a refusal with 500.
func (o *Options) check() *Error {
	var err error
	if len(o.Header) > 0 {
		err = checkHeader(o.Header)
	}
	if err == nil {
		err = checkSubprotocols(o.Subprotocols)
	}
	if err == nil {
		err = o.Deflate.check()
	}
	if err != nil {
		return &Error{Status: http.StatusInternalServerError, Err: err}
	}
	return nil
}

// checkOrigin applies the rule of Options.Origins to the value of an Origin
// field, nil if there is none.
func (o *Options) checkOrigin(value, host []byte, tls bool) *Error {
	if value == nil {
		return nil
	}
	allowed, err := originAllowed(value, host, tls, o.Origins)
	if err != nil {
		return &Error{Status: http.StatusInternalServerError, Err: err}
	}
	if !allowed {
		return badOrigin(value, host)
	}
	return nil
}

// badOrigin returns a refusal that names both values.
func badOrigin(value, host []byte) *Error {
	return refuse(http.StatusForbidden, "origin "+quote(value)+" is not allowed for host "+quote(host))
}

// before calls the hook and returns the fields that it adds.
func (o *Options) before(r *http.Request) (http.Header, *Error) {
	if o.Before == nil {
		return nil, nil
	}
	h, err := o.Before(r)
	if err != nil {
		return nil, hookError(err)
	}
	if err := checkHeader(h); err != nil {
		return nil, &Error{Status: http.StatusInternalServerError, Err: err}
	}
	return h, nil
}
