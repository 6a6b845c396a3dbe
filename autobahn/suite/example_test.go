package suite_test

import (
	"context"
	"fmt"

	"github.com/parleyws/parley/autobahn/suite"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// The echo server may be any function that serves a connection.
func Example() {
	for _, c := range suite.Cases()[:3] {
		nc, theirs := pipe.New()
		go func() {
			hs, err := handshake.AcceptConn(theirs, nil)
			if err != nil {
				return
			}
			ctx := context.Background()
			ws, err := conn.New(hs, conn.RoleServer, nil)
			if err != nil {
				return
			}
			_ = ws.Each(ctx, func(m conn.Message) error { return ws.Write(ctx, m.Type, m.Payload) })
		}()
		v := suite.RunServer(nc, c, nil)
		fmt.Println(c.Title, "-", v, v.Passed())
	}
	// Output:
	// text message, 0 octets - 1.1.1: OK, close OK true
	// text message, 125 octets - 1.1.2: OK, close OK true
	// text message, 126 octets - 1.1.3: OK, close OK true
}
