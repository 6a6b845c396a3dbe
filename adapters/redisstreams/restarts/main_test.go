package restarts

import (
	"os"
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
)

// roleVariable makes the test's program a server; its value is the server's configuration.
const roleVariable = "PARLEY_RESTARTS_SERVER"

func TestMain(m *testing.M) {
	if configuration := os.Getenv(roleVariable); configuration != "" {
		serve(configuration)
		return
	}
	leakcheck.Main(m)
}
