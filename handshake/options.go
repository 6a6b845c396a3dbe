package handshake

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// Options configure Accept and AcceptConn. Most servers need none: nil and the
// zero value accept same-origin requests, without subprotocol or compression.
// Options may be shared by any number of calls, which only read them.
type Options struct {
	// Subprotocols are the subprotocols that the server speaks, the most
	// preferred first. The first one that the client offers is chosen. If it
	// offers none of them, the connection opens without a subprotocol.
	Subprotocols []string
	// Origins are patterns of origins that are allowed besides the server's
	// own; see the package's section on origins.
	Origins []string
	// CheckOrigin, if set, replaces that rule and Origins. It is called for
	// every request, with or without an Origin field.
	CheckOrigin func(r *http.Request) bool
	// Header holds further fields of the 101 response. Fields that the
	// handshake sets itself are an error, as are control characters.
	Header http.Header
	// Deflate offers permessage-deflate; nil declines it.
	Deflate *DeflateOptions
	// Before is called last, once everything else is in order. It returns
	// further fields of the response, or an error to refuse the request. An
	// *Error is answered with its status, reason and header; any other error
	// with 403, and the peer does not see its text. Before must neither read
	// the body nor keep r.
	Before func(r *http.Request) (http.Header, error)
	// Limits bound what a request can cost.
	Limits Limits
	// KeepHeader makes AcceptConn set Result.Header, for a few allocations.
	// Accept always sets it.
	KeepHeader bool
}

// noOptions stands in for nil.
var noOptions Options

// Limits bound what a request can cost AcceptConn before it is accepted. Zero is
// the default, and a negative value is no limit. Accept itself reads nothing, so
// only Timeout applies to it, and there it bounds the writing of the response.
type Limits struct {
	HeadBytes int           // request line and header together; default 16 KiB
	LineBytes int           // each line of them; default 8 KiB
	Fields    int           // number of header fields; default 100
	Timeout   time.Duration // from the call to the response, TLS handshake included; default 10 s
}

// The defaults of Limits.
const (
	defaultHeadBytes = 16 << 10
	defaultLineBytes = 8 << 10
	defaultFields    = 100
	defaultTimeout   = 10 * time.Second
)

// limit returns the limit that v stands for: def for zero, and for a negative
// value the greatest int.
func limit(v, def int) int {
	switch {
	case v == 0:
		return def
	case v < 0:
		return math.MaxInt
	}
	return v
}

// timeout returns how long a handshake may take; a negative time is no limit.
func (l *Limits) timeout() time.Duration {
	if l.Timeout == 0 {
		return defaultTimeout
	}
	return l.Timeout
}

// Check reports what is wrong with the options, or nil if they are right. The
// error names the field and the value. o may be nil. Accept and AcceptConn check
// their options too, and refuse every request with 500 if they are wrong; a
// program that calls Check when it starts finds out sooner.
func (o *Options) Check() error {
	if o == nil {
		return nil
	}
	if _, err := o.judge(nil, nil, false); err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	return nil
}

// judge checks the options. It also applies the rule of Options.Origins to the
// value of an Origin field, which is nil if there is none, because that is cheaper
// than to go through the patterns a second time.
func (o *Options) judge(origin, host []byte, tls bool) (allowed bool, err error) {
	if err := checkHeader(o.Header); err != nil {
		return false, fmt.Errorf("Options.Header: %w", err)
	}
	if err := checkSubprotocols(o.Subprotocols); err != nil {
		return false, fmt.Errorf("Options.Subprotocols: %w", err)
	}
	if err := o.Deflate.check(); err != nil {
		return false, fmt.Errorf("Options.Deflate: %w", err)
	}
	if allowed, err = originAllowed(origin, host, tls, o.Origins); err != nil {
		return false, fmt.Errorf("Options.Origins: %w", err)
	}
	return allowed || origin == nil, nil
}

// badOption returns the refusal for wrong options.
func badOption(err error) *Error {
	return &Error{Status: http.StatusInternalServerError, Err: err}
}

// badOrigin returns a refusal that names the origin and the host.
func badOrigin(value, host []byte) *Error {
	return refuse(http.StatusForbidden, "origin "+quote(value)+" is not allowed for host "+quote(host))
}

// before calls Options.Before, if it is set, and returns the fields that it adds.
func (o *Options) before(r *http.Request) (http.Header, *Error) {
	if o.Before == nil {
		return nil, nil
	}
	h, err := o.Before(r)
	if err != nil {
		return nil, hookError(err)
	}
	if err := checkHeader(h); err != nil {
		return nil, badOption(fmt.Errorf("Options.Before returned a header: %w", err))
	}
	return h, nil
}
