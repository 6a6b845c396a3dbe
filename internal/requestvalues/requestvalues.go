// Package requestvalues keeps the values of a request's context for as long as the
// connection or session lives that the request has opened.
package requestvalues

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
)

// Values has the values of a context.
type Values interface{ Value(key any) any }

// Of returns the values of ctx, but for http.LocalAddrContextKey. A ctx that is as
// net/http made it is not kept for the server, which is all else that it has: that
// would cost 320 bytes, 8 % of an idle connection's memory.
func Of(ctx context.Context) Values {
	if s, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && isPlain(ctx, s) {
		return plain{s}
	}
	return context.WithoutCancel(ctx) // or context.Cause would find the request's
}

// isPlain reports whether ctx is as net/http makes it for a request to s. A
// context of package context describes, as a string, all that it is made of. One of
// another type is not asked: package fmt would read its fields, whoever writes to them
// meanwhile.
func isPlain(ctx context.Context, s *http.Server) bool {
	bare := context.WithValue(context.Background(), http.ServerContextKey, s)
	bare = context.WithValue(bare, http.LocalAddrContextKey, ctx.Value(http.LocalAddrContextKey))
	bare, endConn := context.WithCancel(bare)
	defer endConn()
	bare, endRequest := context.WithCancel(bare)
	defer endRequest()
	return reflect.TypeOf(ctx) == reflect.TypeOf(bare) && fmt.Sprint(ctx) == fmt.Sprint(bare)
}

// plain has the value that net/http puts into every ctx beside our address.
type plain struct{ server *http.Server }

func (p plain) Value(key any) any {
	if key == http.ServerContextKey {
		return p.server
	}
	return nil
}

// IsPlain reports whether v keeps nothing of a user's.
func IsPlain(v Values) bool {
	_, ok := v.(plain)
	return ok
}
