package handshake

import (
	"fmt"
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

// Check tells what is wrong with the options, whatever a request may have: the
// error names the field and the value. It returns nil if nothing is; o may be
// nil. Accept and AcceptConn judge their options too, and refuse every request
// with 500 if they are wrong; a program that calls Check when it starts finds
// out sooner.
func (o *Options) Check() error {
	if o == nil {
		return nil
	}
	if _, err := o.judge(nil, nil, false); err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	return nil
}

// judge tells what is wrong with the options. On the way it applies the rule of
// Options.Origins to the value of an Origin field, nil if there is none, so that
// patterns are looked at once.
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

// badOption returns the refusal for options that are wrong.
func badOption(err error) *Error {
	return &Error{Status: http.StatusInternalServerError, Err: err}
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
		return nil, badOption(fmt.Errorf("Options.Before returned a header: %w", err))
	}
	return h, nil
}
