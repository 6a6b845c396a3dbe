package conn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// A client of a server that sends one message to each connection and then closes
// it. The client stops after the second message.
func ExampleRedialer() {
	server := httptest.NewServer(&conn.Server{
		Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
			if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
				return err
			}
			return &conn.CloseError{Code: frame.StatusServiceRestart}
		},
	})
	defer server.Close()

	connections := 0
	redialer := &conn.Redialer{
		URL:        server.URL,
		FirstDelay: time.Millisecond, // 1 s by default
		OnRedial: func(r *conn.Redial) {
			fmt.Println(r.Err)
			r.Stop = r.Failures == 10
		},
	}
	err := redialer.Run(context.Background(), func(ctx context.Context, c *conn.Conn) error {
		connections++
		fmt.Println("connection", connections)
		for {
			_, p, err := c.Read(ctx)
			if err != nil {
				return err // and dial again
			}
			fmt.Printf("%s\n", p)
			if connections == 2 {
				return nil // and stop
			}
		}
	})
	fmt.Println("end:", err)
	// Output:
	// connection 1
	// hello
	// websocket: closed by the peer: 1012 service restart
	// connection 2
	// hello
	// end: <nil>
}
