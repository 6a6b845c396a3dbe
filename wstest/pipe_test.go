package wstest

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var options = map[string]*PipeOptions{
	"nil":     nil,
	"small":   {Size: 100, Subprotocol: "chat"},
	"deflate": {Deflate: &handshake.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}},
}

// Messages go both ways, and a closing handshake ends both Conns.
func TestPipe(t *testing.T) {
	for name, o := range options {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := Pipe(o)
				ctx := t.Context()
				closed := make(chan error, 1)
				go func() {
					closed <- server.Each(ctx, func(m conn.Message) error {
						return server.Write(ctx, m.Type, m.Payload)
					})
				}()
				for range 3 {
					if err := client.Write(ctx, conn.Text, make([]byte, 1000)); err != nil {
						t.Fatal(err)
					}
					if _, got, err := client.Read(ctx); err != nil || len(got) != 1000 {
						t.Fatalf("got %d bytes, %v", len(got), err)
					}
				}
				if err := client.Close(1000, ""); err != nil {
					t.Error(err)
				}
				<-closed
				if o != nil && (server.Subprotocol() != o.Subprotocol || client.Subprotocol() != o.Subprotocol) {
					t.Errorf("subprotocols %q, %q", server.Subprotocol(), client.Subprotocol())
				}
			})
		})
	}
}

// PipePeer plays the other role and keeps to the options.
func TestPipePeer(t *testing.T) {
	for name, o := range options {
		for _, role := range []conn.Role{conn.RoleServer, conn.RoleClient} {
			t.Run(name, func(t *testing.T) {
				c, p := PipePeer(t, role, o)
				go c.Write(context.Background(), conn.Text, make([]byte, 1000))
				p.WantMessage(frame.Text, make([]byte, 1000))
				p.Send(Text("answer"))
				if _, got, err := c.Read(t.Context()); err != nil || string(got) != "answer" {
					t.Errorf("got %q, %v", got, err)
				}
				c.CloseNow()
				p.WantEOF()
			})
		}
	}
}

// Each Conn has the options of its role.
func TestPipeOptions(t *testing.T) {
	o := &PipeOptions{
		Server: &conn.Options{Limits: conn.Limits{Message: 1}},
		Client: &conn.Options{Limits: conn.Limits{Message: 2}},
	}
	for role, limit := range map[conn.Role]int{conn.RoleServer: 1, conn.RoleClient: 2} {
		c, p := PipePeer(t, role, o)
		go c.Read(t.Context())
		p.Send(Binary(make([]byte, limit)))
		go c.Read(t.Context())
		p.Send(Binary(make([]byte, limit+1)))
		p.WantClose(frame.StatusMessageTooBig)
		c.CloseNow()
	}
}
