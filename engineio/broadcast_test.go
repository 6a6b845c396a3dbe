package engineio_test

import (
	"fmt"
	"testing"

	"github.com/parleyws/parley/engineio"
)

// SendAll reaches sessions on either transport, many of them and a single one, in order, and
// passes over those that have ended.
func TestSendAll(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var all []*engineio.Session
		var polls []string
		var sockets []socket
		for i := range 60 {
			if i%3 == 0 {
				polls = append(polls, s.open())
			} else {
				sockets = append(sockets, s.openWebSocket())
			}
			n := <-s.sessions
			if i%10 == 0 {
				n.Close()
			}
			all = append(all, n)
		}
		for i := range 2 {
			engineio.SendAll(all, engineio.NewMessage(fmt.Append(nil, i), false), engineio.NewMessage([]byte("b"), false))
		}
		for i := range all {
			engineio.SendAll(all[i:i+1], engineio.NewMessage([]byte("alone"), false))
		}
		const want = "40\x1e4b\x1e41\x1e4b\x1e4alone"
		for i := range 60 {
			switch {
			case i%3 == 0 && i%10 != 0:
				s.wantGet(polls[i/3], 200, want)
			case i%3 != 0 && i%10 == 0:
				sockets[i-i/3-1].wantClosed()
			case i%3 != 0:
				for _, m := range []string{"40", "4b", "41", "4b", "4alone"} {
					sockets[i-i/3-1].want(m)
				}
			}
		}
	})
}
