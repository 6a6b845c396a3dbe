package frame

import (
	"strconv"
	"unicode/utf8"
)

// A StatusCode says why a connection is closed (RFC 6455, section 7.4).
type StatusCode uint16

// The registered status codes (RFC 6455, section 7.4.1, and the IANA registry
// of section 11.7). StatusNoStatus, StatusAbnormal and StatusTLSHandshake are
// for reports inside a program and never appear in a frame.
const (
	StatusNormalClosure      StatusCode = 1000
	StatusGoingAway          StatusCode = 1001 // the server shuts down, or the user leaves the page
	StatusProtocolError      StatusCode = 1002
	StatusUnsupportedData    StatusCode = 1003
	StatusNoStatus           StatusCode = 1005 // the Close frame had no payload
	StatusAbnormal           StatusCode = 1006 // the connection ended without a Close frame
	StatusInvalidPayload     StatusCode = 1007 // a text message was not UTF-8
	StatusPolicyViolation    StatusCode = 1008
	StatusMessageTooBig      StatusCode = 1009
	StatusMandatoryExtension StatusCode = 1010 // the server did not accept an extension
	StatusInternalError      StatusCode = 1011
	StatusServiceRestart     StatusCode = 1012
	StatusTryAgainLater      StatusCode = 1013
	StatusBadGateway         StatusCode = 1014
	StatusTLSHandshake       StatusCode = 1015
)

// Valid reports whether a Close frame may carry c. Valid codes are the
// registered codes that are meant for the wire, and 3000 to 4999, which are for
// libraries and applications (RFC 6455, section 7.4.2). Valid does not know the
// role of the sender: it accepts 1010, which only clients send, from both.
func (c StatusCode) Valid() bool {
	switch {
	case c >= 3000:
		return c <= 4999
	case c >= 1007:
		return c <= 1014
	default:
		return c >= 1000 && c <= 1003
	}
}

// firstNamed is the code of the first element of statusNames.
const firstNamed = StatusNormalClosure

// statusNames holds the names of the registered codes.
var statusNames = [...]string{
	StatusNormalClosure - firstNamed:      "normal closure",
	StatusGoingAway - firstNamed:          "going away",
	StatusProtocolError - firstNamed:      "protocol error",
	StatusUnsupportedData - firstNamed:    "unsupported data",
	StatusNoStatus - firstNamed:           "no status",
	StatusAbnormal - firstNamed:           "abnormal closure",
	StatusInvalidPayload - firstNamed:     "invalid payload",
	StatusPolicyViolation - firstNamed:    "policy violation",
	StatusMessageTooBig - firstNamed:      "message too big",
	StatusMandatoryExtension - firstNamed: "mandatory extension",
	StatusInternalError - firstNamed:      "internal error",
	StatusServiceRestart - firstNamed:     "service restart",
	StatusTryAgainLater - firstNamed:      "try again later",
	StatusBadGateway - firstNamed:         "bad gateway",
	StatusTLSHandshake - firstNamed:       "TLS handshake",
}

// String returns the number of c, followed by its name if c is registered.
func (c StatusCode) String() string {
	number := strconv.Itoa(int(c))
	i := int(c) - int(firstNamed)
	if i < 0 || i >= len(statusNames) || statusNames[i] == "" {
		return number
	}
	return number + " " + statusNames[i]
}

// MaxControlPayload is the greatest length of a control frame's payload, in
// bytes (RFC 6455, section 5.5).
const MaxControlPayload = 125

// MaxReason is the greatest length of a close reason, in bytes. The status code
// takes the other two bytes of the payload.
const MaxReason = MaxControlPayload - 2

// ParseClose reads the payload of a Close frame (RFC 6455, section 5.5.1). An
// empty payload gives StatusNoStatus and no reason. Every error is an *Error: a
// payload of one byte and a code that is not Valid are protocol errors (1002),
// and a reason that is not UTF-8 is an invalid payload (1007). The reason is a
// copy: it stays valid when p is overwritten.
func ParseClose(p []byte) (StatusCode, string, error) {
	switch {
	case len(p) == 0:
		return StatusNoStatus, "", nil
	case len(p) == 1:
		return 0, "", errCloseLength
	}
	code, reason := StatusCode(p[0])<<8|StatusCode(p[1]), p[2:]
	if !code.Valid() {
		return 0, "", errCloseCode
	}
	if !utf8.Valid(reason) {
		return 0, "", errCloseReason
	}
	return code, string(reason), nil
}

// AppendClose appends the payload of a Close frame to b and returns the extended
// slice. StatusNoStatus gives the empty payload, whatever the reason. A reason of
// more than MaxReason bytes is cut after the last character that fits. U+FFFD
// replaces bytes of the reason that are not UTF-8, because the peer would have to
// fail the connection for them. AppendClose does not judge the code; see
// StatusCode.Valid.
func AppendClose(b []byte, code StatusCode, reason string) []byte {
	if code == StatusNoStatus {
		return b
	}
	b = append(b, byte(code>>8), byte(code))
	end := len(b) + MaxReason
	for _, r := range reason {
		if len(b)+utf8.RuneLen(r) > end {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}
