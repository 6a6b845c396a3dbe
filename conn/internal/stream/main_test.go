package stream

import (
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/pipe"
)

func TestMain(m *testing.M) {
	pipe.Loop()
	leakcheck.Main(m)
}
