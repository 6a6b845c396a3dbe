package redisstreams

import (
	"testing"

	"github.com/parleyws/parley/adapters/internal/faulttest"
)

// docs/security.md says what the defaults are.
func TestSecurityPage(t *testing.T) {
	o, err := (*Options)(nil).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	faulttest.Defaults(t, "redisstreams", map[string]any{
		"QueueBytes": o.QueueBytes, "MaxLen": o.MaxLen, "MaxMessage": o.MaxMessage, "RequestTime": o.RequestTime,
	})
}
