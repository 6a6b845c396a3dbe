package engineio

import (
	"net/http"
	"slices"

	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/internal/requestvalues"
)

// shared is what a session has in common with others. It is constant.
type shared struct {
	server *Server
	codec  *packet.Codec        // the version of the protocol
	secure bool                 // TLS ended at this server
	values requestvalues.Values // of the request's ctx
}

// mostShared is how many values of shared a Server remembers: those of two http.Servers at
// least, each with three codecs. Sessions that want another one have it to themselves.
const mostShared = 6

// share returns what a session that r opens shares.
func (s *Server) share(codec *packet.Codec, r *http.Request) *shared {
	n := shared{s, codec, r.TLS != nil, requestvalues.Of(r.Context())}
	if !requestvalues.IsPlain(n.values) { // the values are this session's, and can't be compared
		return &n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.shared {
		if *known == n {
			return known
		}
	}
	if len(s.shared) == mostShared {
		s.shared = slices.Delete(s.shared, 0, 1)
	}
	s.shared = append(s.shared, &n)
	return &n
}
