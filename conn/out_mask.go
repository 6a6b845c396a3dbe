package conn

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"

	"github.com/parleyws/parley/frame"
)

// newMasker returns the source of a client's masking keys. Its keys are cheap and
// unpredictable; RFC 6455, sections 5.3 and 10.3, demand that a peer or an
// application can't predict them.
func newMasker() *rand.ChaCha8 {
	var seed [32]byte
	crand.Read(seed[:]) // never fails
	return rand.NewChaCha8(seed)
}

// masked returns h with a new masking key if o belongs to a client, and h unchanged
// otherwise.
func (o *outbound) masked(h frame.Header) frame.Header {
	if o.masks() {
		h.Masked = true
		binary.LittleEndian.PutUint32(h.MaskKey[:], uint32(o.c.terms.masker.Uint64()))
	}
	return h
}
