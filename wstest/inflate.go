package wstest

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
)

const (
	// flushTail is the end of a flush. A sender removes it from each message (RFC
	// 7692, section 7.2.1).
	flushTail = "\x00\x00\xFF\xFF"
	// finalBlock is an empty stored block with BFINAL set (RFC 1951, section
	// 3.2.4). A flate reader stops there.
	finalBlock = "\x01\x00\x00\xFF\xFF"
)

// inflate inflates b, the compressed payload of a whole message (RFC 7692,
// section 7.2.2). It always keeps the window. That is harmless without context
// takeover, because messages do not refer to it then.
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
