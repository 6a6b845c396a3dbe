package engineio_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
)

// A client that asks for what is queued and then does not read it holds a
// goroutine for 45 s and no longer; its session is over.
func TestAnswerUnread(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		before := goroutines()
		sid := s.open()
		s.session().Send(engineio.NewMessage(make([]byte, 8<<20), false))
		c, err := s.listener.DialContext(s.t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: example.com\r\n\r\n", sid)
		synctest.Wait()
		if got := goroutines() - before; got != 1 {
			t.Errorf("%d goroutines while an answer is written, want 1", got)
		}
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if got := goroutines() - before; got != 0 {
			t.Errorf("%d goroutines after 45 s, want 0", got)
		}
	})
}
