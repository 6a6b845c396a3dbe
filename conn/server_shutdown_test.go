package conn_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
)

// Connections that are accepted while Shutdown begins are told to go away, or refused, or
// served before: whatever they are about to be given. With the race detector.
func TestShutdownMeetsAccept(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			s := &conn.Server{Serve: echo}
			dial := serveInMemory(t, s)
			var dialing sync.WaitGroup
			for range 8 {
				dialing.Go(func() {
					if c, err := dial(); err == nil {
						_, _, _ = c.Read(context.Background())
					}
				})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			dialing.Wait()
		})
	}
}
