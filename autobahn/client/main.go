// Command client is the echo client that the Autobahn suite's server tests:
// it asks how many cases there are, runs each of them on a connection of its
// own, and has the reports written.
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
			log.Printf("case %d of %d: %v", i+1, n, refused) // the suite judges
		} else if err != nil {
			return fmt.Errorf("case %d of %d: %w", i+1, n, err)
		}
	}
	if err := echo(ctx, base+"/updateReports?agent="+agent); err != nil {
		return fmt.Errorf("update of the reports: %w", err)
	}
	return nil
}

// caseCount asks how many cases there are. The answer is one message.
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

// echo sends back each message until the connection ends. How it ends is for
// the suite to judge: an error tells that there was no connection.
func echo(ctx context.Context, url string) error {
	c, _, err := conn.Dial(ctx, url, options())
	if err != nil {
		return err
	}
	_ = c.Each(ctx, func(m conn.Message) error {
		return c.Write(ctx, m.Type, m.Payload)
	})
	_ = c.CloseNow() // does nothing but where the echo could not be written
	return ctx.Err()
}

// options let the suite have all that it asks for: 16 MiB messages,
// permessage-deflate with any parameter, even for the shortest message. It is
// silent for long while it writes reports, so there is no keepalive.
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
