package redisstreams

import (
	"os"
	"testing"
	"time"

	"github.com/parleyws/parley/internal/leakcheck"
)

// roleVariable makes the test's program a process beside the test, in one of the roles.
const roleVariable = "PARLEY_STREAMS_ROLE"

var roles = make(map[string]func())

func TestMain(m *testing.M) {
	// A session that is on its way is awaited for longer, here and in the processes.
	patient = append(patient, time.Second, 2*time.Second, 5*time.Second)
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		role()
		return
	}
	leakcheck.Main(m)
}
