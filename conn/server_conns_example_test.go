package conn_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// A server without net/http, which tells who was refused and why.
func ExampleServer_ServeConns() {
	server := &conn.Server{
		Handle: func(ctx context.Context, c *conn.Conn, r *http.Request) func(conn.Message) error {
			room := r.URL.Path
			return func(m conn.Message) error {
				return c.Write(ctx, m.Type, fmt.Appendf(nil, "%s: %s", room, m.Payload))
			}
		},
		OnRefuse: func(r *http.Request, err error) { fmt.Println(r.URL.Path, err) },
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- server.ServeConns(listener) }()

	ctx, url := context.Background(), "ws://"+listener.Addr().String()
	c, _, err := conn.Dial(ctx, url+"/tea", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", p)
	c.Close(1000, "")

	conn.Dial(ctx, url+"/tea", &conn.DialOptions{Handshake: handshake.DialOptions{
		Header: http.Header{"Origin": {"https://other.example"}},
		Host:   "tea.example",
	}})
	if err := server.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-ended)
	// Output:
	// /tea: hello
	// /tea websocket: accept: 403 Forbidden: origin "https://other.example" is not allowed for host "tea.example"
	// http: Server closed
}
