package packet

// A Codec is one version of the protocol, as one client speaks it. All that the
// versions differ in is here, as data and functions: a session has the Codec of its
// client, and nothing else asks for the version.
type Codec struct {
	// Version is the number of the version, which requests have as EIO.
	Version int
	// Beat is the type of the packet with which the client shows that it is
	// alive: the Pong that answers the server's Ping, or the client's own Ping,
	// which the server answers with a Pong.
	Beat Type
	// Text is the form of a body that is text.
	Text *Form
	// Binary is the form of a POST of application/octet-stream. nil: there is
	// none.
	Binary *Form
	// Mixed is the form of a response that has binary messages in it.
	Mixed *Form
	// Parse reads the packet in a message of a WebSocket, as Parse does.
	Parse func(b []byte, binary bool) (Packet, error)
	// Frame returns the message of a WebSocket that a binary message becomes. nil:
	// a binary message with the same data. It does not keep data.
	Frame func(data []byte) (b []byte, binary bool)
}

// The versions.
var (
	// V4 is version 4 of the protocol.
	V4 = &Codec{
		Version: 4, Beat: Pong,
		Text: &separated, Mixed: &separated,
		Parse: parseFrame,
	}
	// V3 is version 3, for a client that can receive binary data.
	V3 = &Codec{
		Version: 3, Beat: Ping,
		Text: &counted, Binary: &countedBinary, Mixed: &countedBinary,
		Parse: parseFrame3, Frame: typedFrame,
	}
	// V3Base64 is version 3, for a client that can receive text alone. It says so
	// with the query parameter b64.
	V3Base64 = &Codec{
		Version: 3, Beat: Ping,
		Text: &counted, Binary: &countedBinary, Mixed: &counted,
		Parse: parseFrame3, Frame: base64Frame,
	}
)

// parseFrame is Codec.Parse of version 4.
func parseFrame(b []byte, binary bool) (Packet, error) {
	if binary {
		return Packet{Type: Message, Binary: true, Data: b}, nil
	}
	return Parse(b)
}
