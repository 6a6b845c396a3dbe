package wstest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// serve is the handler under test. It answers each message with its length.
func serve(ctx context.Context, c *conn.Conn) error {
	return c.Each(ctx, func(m conn.Message) error {
		return c.Write(ctx, conn.Text, fmt.Append(nil, len(m.Payload)))
	})
}

func ExamplePipe() {
	ctx := context.Background()
	server, client := wstest.Pipe(nil)
	defer client.CloseNow()
	go serve(ctx, server)

	client.Write(ctx, conn.Text, []byte("hello"))
	_, answer, err := client.Read(ctx)
	fmt.Println(string(answer), err)
	// Output: 5 <nil>
}

// A test that plays a peer which breaks a rule.
func ExamplePeer() {
	_ = func(t *testing.T) { // func TestBrokenText(t *testing.T)
		c, p := wstest.PipePeer(t, conn.RoleServer, nil)
		go serve(context.Background(), c)

		p.Send(wstest.Text("hel").More(), wstest.Ping("now"), wstest.Cont("lo"))
		p.Want(wstest.Pong("now"), wstest.Text("5"))

		p.Send(wstest.Text("\xFF"))
		p.WantClose(frame.StatusInvalidPayload)
		p.WantEOF()
	}
}
