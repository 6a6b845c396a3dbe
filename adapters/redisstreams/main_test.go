package redisstreams

import (
	"os"
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
)

// roleVariable makes the test's program a process beside the test, in one of the roles.
const roleVariable = "PARLEY_STREAMS_ROLE"

var roles = make(map[string]func())

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		role()
		return
	}
	leakcheck.Main(m)
}
