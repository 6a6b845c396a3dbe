package redisadapter_test

import (
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
