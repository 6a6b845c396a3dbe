package wstest

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
)

const (
	// flushTail is what a sender takes off a message's end (RFC 7692, section 7.2.1).
	flushTail = "\x00\x00\xFF\xFF"
	// finalBlock is an empty stored block with BFINAL set (RFC 1951, section
	// 3.2.4): flate.Reader ends there.
	finalBlock = "\x01\x00\x00\xFF\xFF"
)

// inflate returns what compressed octets of a whole message stand for (RFC
// 7692, section 7.2.2). The window is kept always: it is not referred to
// where the other side takes no context over.
func (p *Peer) inflate(b []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(b), strings.NewReader(flushTail+finalBlock)), p.window)
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("wstest: inflate: %w", err)
	}
	p.window = append(p.window, plain...)
	p.window = p.window[max(0, len(p.window)-maxWindow):]
	return plain, nil
}
