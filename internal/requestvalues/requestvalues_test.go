package requestvalues

import (
	"context"
	"net/http"
	"testing"
)

// A nosy is a field of a context that takes note of who looks at it.
type nosy struct{ seen *bool }

func (n nosy) String() string { *n.seen = true; return "" }

// The fields of a context of the user's are nobody's business: they may be guarded by
// a lock that package fmt does not know.
func TestFieldsAreNotRead(t *testing.T) {
	seen := false
	ctx := struct {
		context.Context
		Field nosy
	}{context.WithValue(t.Context(), http.ServerContextKey, new(http.Server)), nosy{&seen}}
	if IsPlain(Of(ctx)) {
		t.Error("plain")
	}
	if seen {
		t.Error("a field was read")
	}
}
