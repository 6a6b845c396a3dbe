package natsadapter

import (
	"testing"

	"github.com/parleyws/parley/adapters/internal/faulttest"
)

// docs/security.md says what the defaults are.
func TestSecurityPage(t *testing.T) {
	o, err := (*Options)(nil).resolve()
	if err != nil {
		t.Fatal(err)
	}
	faulttest.Defaults(t, "natsadapter", map[string]any{"QueueBytes": o.QueueBytes, "RequestTime": o.RequestTime})
}
