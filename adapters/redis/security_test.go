package redisadapter

import (
	"testing"

	"github.com/parleyws/parley/adapters/internal/faulttest"
)

// docs/security.md says what the defaults are.
func TestSecurityPage(t *testing.T) {
	o := (*Options)(nil).withDefaults()
	faulttest.Defaults(t, "redisadapter", map[string]any{
		"QueueBytes": o.QueueBytes, "MaxMessage": o.MaxMessage, "RequestTime": o.RequestTime, "AckTime": o.AckTime,
	})
}
