// Command client is the echo client that the Autobahn suite's server tests. It
// asks for the number of cases, runs each case on a new connection, and asks the
// server to write its reports.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

func main() {
	base := flag.String("url", "ws://127.0.0.1:9002", "`URL` of the suite's server; its port must be that of the suite's specification")
	agent := flag.String("agent", "parley", "`name` in the reports")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *base, *agent); err != nil {
		log.Fatal(err)
	}
}

// run goes through all cases of the server at base.
func run(ctx context.Context, base, agent string) error {
	n, err := caseCount(ctx, base)
	if err != nil {
		return fmt.Errorf("number of cases: %w", err)
	}
	agent = url.QueryEscape(agent)
	for i := range n {
		err := echo(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", base, i+1, agent))
		if refused, ok := errors.AsType[*handshake.DialError](err); ok {
			log.Printf("case %d of %d: %v", i+1, n, refused) // the suite judges it
		} else if err != nil {
			return fmt.Errorf("case %d of %d: %w", i+1, n, err)
		}
	}
	if err := echo(ctx, base+"/updateReports?agent="+agent); err != nil {
		return fmt.Errorf("update of the reports: %w", err)
	}
	return nil
}

// caseCount asks for the number of cases. The answer is one message.
func caseCount(ctx context.Context, base string) (int, error) {
	c, _, err := conn.Dial(ctx, base+"/getCaseCount", options())
	if err != nil {
		return 0, err
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(p))
}

// echo sends back each message until the connection ends. The suite judges how it
// ends. echo returns an error only if there was no connection.
func echo(ctx context.Context, url string) error {
	c, _, err := conn.Dial(ctx, url, options())
	if err != nil {
		return err
	}
	_ = c.Each(ctx, func(m conn.Message) error {
		return c.Write(ctx, m.Type, m.Payload)
	})
	_ = c.CloseNow() // the connection is open only if an echo could not be written
	return ctx.Err()
}

// options accept all that the suite asks for: messages of 16 MiB, and
// permessage-deflate with any parameters, even for the shortest message. There is
// no keepalive, because the suite is silent for a long time while it writes
// reports.
func options() *conn.DialOptions {
	return &conn.DialOptions{
		Handshake: handshake.DialOptions{
			Deflate: &handshake.DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true},
		},
		Conn: conn.Options{
			Limits:      conn.Limits{Message: 64 << 20, PingInterval: -1},
			Compression: conn.Compression{MinSize: -1},
		},
	}
}
