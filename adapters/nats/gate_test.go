package natsadapter

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"
)

// The connection is not read while the channel might get full, or too much waits in it.
// It is read again when the channel is empty, and Close ends the wait.
func TestGate(t *testing.T) {
	for _, tt := range []struct {
		name            string
		messages, bytes int
		waits           bool
	}{
		{"nothing waits", 0, gateBytes + 1, false},
		{"some wait", gateMessages - gateReserve, 0, false},
		{"many wait", gateMessages - gateReserve + 1, 0, true},
		{"much waits", 1, gateBytes + 1, true},
	} {
		for _, closes := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGate()
					for range tt.messages {
						g.messages <- nil
					}
					g.read.Store(int64(tt.bytes))
					ours, theirs := net.Pipe()
					defer theirs.Close()
					c, err := g.wrap(ours, nil)
					if err != nil {
						t.Fatal(err)
					}
					go theirs.Write([]byte("x"))
					read := make(chan error, 1)
					go func() {
						_, err := c.Read(make([]byte, 1))
						read <- err
					}()
					synctest.Wait()
					if len(read) > 0 == tt.waits {
						t.Fatalf("read: %t", len(read) > 0)
					}
					if closes && tt.waits {
						c.Close()
						if err := <-read; err != io.ErrClosedPipe {
							t.Errorf("after Close: %v", err)
						}
						return
					}
					for i := range tt.messages {
						if synctest.Wait(); tt.waits && len(read) > 0 {
							t.Fatalf("read after %d of %d messages", i, tt.messages)
						}
						<-g.messages
						g.taken()
					}
					if err := <-read; err != nil {
						t.Error(err)
					}
					c.Close()
				})
			})
		}
	}
}

// Connections that are not made are passed on, and so is what a dialer says of TLS.
func TestGateDials(t *testing.T) {
	g := newGate()
	o := nats.GetDefaultOptions()
	g.watch(&o)
	if _, err := o.CustomDialer.Dial("tcp", "127.0.0.1:0"); err == nil {
		t.Error("connected with port 0")
	}
	if o.CustomDialer.(gatedDialer).SkipTLSHandshake() {
		t.Error("a net.Dialer makes no TLS")
	}
	g.watch(&o)
	o.CustomDialer = secure{}
	if g.watch(&o); !o.CustomDialer.(gatedDialer).SkipTLSHandshake() {
		t.Error("what the dialer says of TLS is lost")
	}
}

type secure struct{}

func (secure) Dial(string, string) (net.Conn, error) { return nil, io.EOF }
func (secure) SkipTLSHandshake() bool                { return true }
