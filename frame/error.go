package frame

// An Error says that the peer broke the protocol or exceeded one of our limits.
// It carries the status code with which the connection must be failed (RFC 6455,
// sections 7.1.7 and 7.4.1). It holds nothing that the peer sent.
type Error struct {
	Code   StatusCode // the status code of our Close frame
	Reason string     // the rule that was broken, in a few words
}

// Error returns the broken rule and the status code.
func (e *Error) Error() string { return "websocket: " + e.Reason + " (" + e.Code.String() + ")" }

// The errors of Parse. They are fixed values that can be compared with ==, so
// that refusing a frame allocates nothing.
var (
	// ErrLengthForm reports a payload length that is not in its shortest form
	// (RFC 6455, section 5.2). Parse returns it together with the header, so that
	// a lenient receiver can accept the frame.
	ErrLengthForm error = &Error{StatusProtocolError, "payload length not in its shortest form"}
	// ErrLengthRange reports a 64-bit payload length whose top bit is set (RFC
	// 6455, section 5.2).
	ErrLengthRange error = &Error{StatusProtocolError, "payload length with the top bit set"}
)

// The errors of ParseClose.
var (
	errCloseLength error = &Error{StatusProtocolError, "close payload of one octet"}
	errCloseCode   error = &Error{StatusProtocolError, "close code that may not be sent"}
	errCloseReason error = &Error{StatusInvalidPayload, "close reason is not UTF-8"}
)
