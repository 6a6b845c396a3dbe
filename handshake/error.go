package handshake

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// An Error is a handshake that the server refused. When Accept or AcceptConn
// returns one, the response has been written. Options.Before returns one to
// refuse a request for a reason of its own.
type Error struct {
	// Status is the HTTP status code of the response, 300 to 599.
	Status int
	// Reason says what was wrong, in a few words. It is the body of the
	// response.
	Reason string
	// Header holds further fields of the response; nil for none.
	Header http.Header
	// Err is the cause, nil for none. The peer does not see it.
	Err error
}

// Error returns the status, the reason and the cause.
func (e *Error) Error() string {
	s := "websocket: accept: " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refuse returns an *Error without a header or a cause.
func refuse(status int, reason string) *Error {
	return &Error{Status: status, Reason: reason}
}

// A DialError is a response that does not open a WebSocket connection: a refusal,
// or a 101 that breaks RFC 6455, section 4.1 or has terms that were not offered.
type DialError struct {
	// Status is the HTTP status code of the response.
	Status int
	// Reason says what the response has and what it should have.
	Reason string
	// Body is the start of the response's body, at most 1 KiB.
	Body []byte
}

// Error returns the status and the reason. It leaves out the body, which is the
// peer's and may be long.
func (e *DialError) Error() string {
	return fmt.Sprintf("websocket: dial: %d %s: %s", e.Status, http.StatusText(e.Status), e.Reason)
}

// hookError returns the refusal for an error that Options.Before returned.
func hookError(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return &Error{Status: http.StatusForbidden, Err: err}
	}
	if e.Status < 300 || e.Status > 599 {
		return badOption(fmt.Errorf("Options.Before returned an *Error whose Status is %d, want 300 to 599: %w", e.Status, err))
	}
	if wrong := checkHeader(e.Header); wrong != nil {
		return badOption(fmt.Errorf("Options.Before returned an *Error with a header: %w: %w", wrong, err))
	}
	return e
}

// text returns the body of the response.
func (e *Error) text() string {
	if e.Reason == "" {
		return http.StatusText(e.Status)
	}
	return e.Reason
}

// connection returns the Connection field of the response. A response that has an
// Upgrade field must list it there (RFC 9110, section 7.8).
func (e *Error) connection() []string {
	if len(e.Header["Upgrade"]) > 0 {
		return []string{"close", "Upgrade"}
	}
	return []string{"close"}
}

// quoteMost is how many bytes quote shows.
const quoteMost = 256

// quote returns v as a string literal, cut to a length that does no harm in a
// log: v may be the peer's.
func quote(v []byte) string {
	if len(v) > quoteMost {
		return strconv.QuoteToASCII(string(v[:quoteMost])) + "..."
	}
	return strconv.QuoteToASCII(string(v))
}

// quoted returns the quoted values, joined by "and", as many as do no harm in a
// log.
func quoted(values []string) (list string) {
	for i, v := range values {
		if len(list) > 2*quoteMost {
			break
		}
		if i > 0 {
			list += " and "
		}
		list += quote([]byte(v))
	}
	return list
}

// append appends the whole response to b. now is its date.
func (e *Error) append(b []byte, now time.Time) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(e.Status)...)
	b = append(b, "\r\n"...)
	b = appendHeader(b, e.Header)
	b = appendHeader(b, http.Header{"Connection": e.connection()})
	text := e.text()
	b = append(b, "Date: "...)
	b = now.UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"X-Content-Type-Options: nosniff\r\n"+
		"Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)+1), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, text...)
	return append(b, '\n')
}
