package socketio

import (
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
)

func TestMain(m *testing.M) {
	poison = true
	breath = 0
	leakcheck.Main(m)
}
