package frame

// An Error tells that the peer broke the protocol, or a limit of ours, and
// with which status code the connection is to be failed (RFC 6455, sections
// 7.1.7 and 7.4.1). It holds nothing that the peer sent.
type Error struct {
	Code   StatusCode // what our Close frame says
	Reason string     // the rule that was broken, in a few words
}

// Error returns the broken rule and the status code.
func (e *Error) Error() string { return "websocket: " + e.Reason + " (" + e.Code.String() + ")" }

// Errors that Parse returns. They are values, compared by identity, so that
// refusing a frame allocates nothing.
var (
	// ErrLengthForm is a payload length that is not in its shortest form (RFC
	// 6455, section 5.2). Parse returns the header that it read along with it,
	// for those who want to let such a peer live.
	ErrLengthForm error = &Error{StatusProtocolError, "payload length not in its shortest form"}
	// ErrLengthRange is a 64-bit payload length whose top bit is set (section 5.2).
	ErrLengthRange error = &Error{StatusProtocolError, "payload length with the top bit set"}
)

// Errors that ParseClose returns.
var (
	errCloseLength error = &Error{StatusProtocolError, "close payload of one octet"}
	errCloseCode   error = &Error{StatusProtocolError, "close code that may not be sent"}
	errCloseReason error = &Error{StatusInvalidPayload, "close reason is not UTF-8"}
)
