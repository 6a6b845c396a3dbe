package conn_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
)

// A deaf stream fails all writes from the first failure on, and goes on waiting
// for bytes to read.
type deaf struct{ net.Conn }

func (deaf) Write([]byte) (int, error) { return 0, errDeaf }

var errDeaf = errors.New("deaf")

// A connection whose writes fail while its stream goes on waiting for bytes ends
// within CloseTimeout, whatever the stream's deadlines do.
func TestBrokenEnds(t *testing.T) {
	wrap := func(nc net.Conn) net.Conn { return deaf{nc} }
	o := limits(conn.Limits{PingInterval: -1})
	t.Run("Close", func(t *testing.T) {
		allOdds(t, o, 1<<10, wrap, func(b *bubble) {
			select {
			case err := <-startClose(b.c):
				if err == nil {
					b.Error("Close = nil")
				}
			case <-time.After(time.Hour):
				b.Fatal("Close hangs")
			}
			b.noLaterThan(7 * time.Second)
			<-b.c.Done()
			b.noLaterThan(7 * time.Second)
		})
	})
	t.Run("Read", func(t *testing.T) {
		allOdds(t, o, 1<<10, wrap, func(b *bubble) {
			got := reading(b.c)
			synctest.Wait()
			b.c.Write(context.Background(), conn.Text, []byte("lost"))
			select {
			case err := <-got:
				wantError(b.T, err, errDeaf)
			case <-time.After(time.Hour):
				b.Fatal("Read hangs")
			}
			b.noLaterThan(time.Second) // a read that can't be woken is cut
			<-b.c.Done()
			b.noLaterThan(7 * time.Second)
		})
	})
}
