package conn_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// A write that makes no progress for 10 s ends the connection, whoever waits
// for it.
func TestWriteStalls(t *testing.T) {
	tests := []struct {
		name string
		size int
		call func(*conn.Conn, []byte) error
	}{
		{"Write", 1 << 20, func(c *conn.Conn, p []byte) error { return c.Write(context.Background(), conn.Binary, p) }},
		{"Write with a ctx", 1 << 20, func(c *conn.Conn, p []byte) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			return c.Write(ctx, conn.Binary, p)
		}},
		{"Writer", 1 << 20, func(c *conn.Conn, p []byte) error {
			w, err := c.Writer(context.Background(), conn.Binary)
			if err != nil {
				return err
			}
			_, err = w.Write(p)
			return errors.Join(err, w.Close())
		}},
		{"small Writes", 1 << 10, func(c *conn.Conn, p []byte) error {
			for {
				if err := c.Write(context.Background(), conn.Binary, p); err != nil {
					return err
				}
			}
		}},
		{"Prepared", 1 << 20, func(c *conn.Conn, p []byte) error {
			for {
				if err := c.WritePrepared(context.Background(), conn.NewPrepared(conn.Binary, p)); err != nil {
					return err
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				synctest.Test(t, func(t *testing.T) {
					c, _ := wstest.PipePeer(t, role, &wstest.PipeOptions{Size: 1 << 10})
					failed := reading(c)
					start := time.Now()
					err := tt.call(c, make([]byte, tt.size))
					wantError(t, err, os.ErrDeadlineExceeded)
					took := time.Since(start) // a pipe does not tell when it took the last byte
					if took < 10*time.Second || took > 20*time.Second {
						t.Errorf("it took %v, want 10s to 20s", took)
					}
					wantError(t, <-failed, os.ErrDeadlineExceeded)
					if d := time.Since(start) - took; d > conn.LateTime {
						t.Errorf("reading ended %v later", d)
					}
				})
			})
		})
	}
}

// A peer that reads slowly lives, however long a message takes to go out. It
// can't answer our Ping before it has read what lies in front of it.
func TestWriteSlowly(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			const rate = 8 << 10 // octets a second
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Size: rate})
			failed := reading(c)
			message := make([]byte, 1<<20)
			wrote := make(chan error, 1)
			go func() { wrote <- c.Write(context.Background(), conn.Binary, message) }()
			start := time.Now()
			b := make([]byte, rate)
			for range len(message) / rate {
				<-time.After(time.Second)
				if _, err := io.ReadFull(p.NetConn(), b); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-wrote; err != nil {
				t.Errorf("Write = %v", err)
			}
			if d := time.Since(start); d != 128*time.Second {
				t.Errorf("it took %v, want 128s", d)
			}
			c.CloseNow()
			<-failed
		})
	})
}

// With a negative WriteTimeout a write waits for ever.
func TestWriteTimeoutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{
			Size: 1 << 10, Server: limits(conn.Limits{WriteTimeout: -1, PingInterval: -1}),
		})
		want := make([]byte, 1<<20)
		wrote := make(chan error, 1)
		go func() { wrote <- c.Write(context.Background(), conn.Binary, want) }()
		<-time.After(24 * time.Hour)
		p.WantMessage(frame.Binary, want)
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}
