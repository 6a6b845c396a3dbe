package engineio

import "encoding/base64"

// payloadSize returns how many bytes m takes in the body of a request.
func (m *Message) payloadSize() int64 {
	if m.binary {
		return 1 + int64(base64.StdEncoding.EncodedLen(len(m.data)))
	}
	return 1 + int64(len(m.data))
}

// fitting returns how many of the first messages of a queue fit in one POST of most
// bytes, with separators between them. It is one at least: the server says what
// happens to a packet that is longer.
func fitting(queue []*Message, most int64) int {
	size := int64(-1) // there is no separator before the first packet
	for n, m := range queue {
		if size += 1 + m.payloadSize(); size > most && n > 0 {
			return n
		}
	}
	return len(queue)
}
