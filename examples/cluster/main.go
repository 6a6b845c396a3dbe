// Command cluster is a chat on several nodes, whose clients share rooms whichever node they
// are connected with. All nodes are in one process, each with an address of its own, and
// connect with each other; with a broker they are also connected with whoever else is there.
//
//	cd examples/cluster && go run . -nodes 3 [-addr 127.0.0.1:3000] [-v]
//	    [-redis host:port | -redis-streams host:port | -nats url] [-relay]
//
// The nodes listen on the address and on the ports that follow it, and print where. Each
// is the chat of examples/chat, with its page: open the addresses of two nodes in two tabs.
//
// The id of a session begins with the port of its node, so that a load balancer can tell
// where it is. With -relay a node passes requests for a session of another one on, so that
// the load balancer need not know; balancers/ has configurations for each way.
//
// SIGTERM and an interrupt end it gracefully.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/examples/chat/page"
	"github.com/parleyws/parley/examples/chat/rooms"
	"github.com/parleyws/parley/socketio"
)

const (
	graceTime = 5 * time.Second // bounds how long a shutdown waits for clients to be told
	readyTime = 5 * time.Second // how long nodes wait for each other, or for the broker, before they serve
	maxNodes  = 100
)

// Errors of the flags.
var (
	errNodes = fmt.Errorf("-nodes must be from 1 to %d", maxNodes)
	errWays  = errors.New("more than one broker")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints the addresses of the nodes to out, and what happens
// to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(log)
	nodes := flags.Int("nodes", 1, "start this many `nodes`")
	addr := flags.String("addr", "127.0.0.1:3000", "listen on this `host:port`, and the following ports")
	relay := flags.Bool("relay", false, "pass requests that reach the wrong node on to the right one of this process")
	verbose := flags.Bool("v", false, "log what happens")
	given := make(map[string]*string)
	for _, w := range ways {
		given[w.flag] = flags.String(w.flag, "", w.usage)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *nodes < 1 || *nodes > maxNodes {
		return errNodes
	}
	w, at, err := choose(given)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	c := &cluster{relay: *relay, log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level})), failed: make(chan error, *nodes)}
	defer c.close()
	if err := c.start(ctx, w, at, *addr, *nodes); err != nil {
		return err
	}
	for _, n := range c.nodes {
		fmt.Fprintf(out, "listening on http://%s\n", n.listener.Addr())
	}
	select {
	case err := <-c.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// A cluster is all nodes of the process.
type cluster struct {
	relay  bool
	log    *slog.Logger
	links  []link
	nodes  []*node
	failed chan error
}

// A node is a server with its own address.
type node struct {
	listener net.Listener
	io       *socketio.Server
	web      *http.Server
}

// start starts nodes, and waits until they are connected.
func (c *cluster) start(ctx context.Context, w way, at, addr string, nodes int) error {
	for i := range nodes {
		l, err := w.connect(ctx, at, c.links, c.log)
		if err != nil {
			return err
		}
		c.links = append(c.links, l)
		if err := c.add(addr, i, l); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for _, l := range c.links {
		if err := l.Ready(ctx); err != nil {
			c.log.Warn("not connected with the other nodes yet, which goes on", "error", err)
			break
		}
	}
	for _, n := range c.nodes {
		go func() { c.failed <- n.web.Serve(n.listener) }()
	}
	return nil
}

// add adds the i-th node, which listens i ports after that of addr.
func (c *cluster) add(addr string, i int, l link) error {
	addr, err := following(addr, i)
	if err != nil {
		return err
	}
	n := new(node)
	if n.listener, err = net.Listen("tcp", addr); err != nil {
		return err
	}
	o := &socketio.Options{Adapter: l.Adapter, Logger: c.log}
	relay, err := engineio.NewRelay(n.name(), c.url, nil)
	if err == nil {
		o.Engine.Hooks.NewID = relay.NewID
		if c.relay {
			o.Engine.Hooks.Foreign = relay.Foreign
		}
		n.io, err = rooms.NewServer(o)
	}
	if err != nil {
		return errors.Join(err, n.listener.Close())
	}
	mux := http.NewServeMux()
	n.io.Register(mux)
	mux.Handle("/", http.FileServerFS(page.Files))
	n.web = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	c.nodes = append(c.nodes, n)
	return nil
}

// name returns the name that the ids of the node's sessions begin with: its port.
func (n *node) name() string {
	return strconv.Itoa(n.listener.Addr().(*net.TCPAddr).Port)
}

// url returns where a node of this process is, nil if there is none with that name. The
// nodes don't change once they serve.
func (c *cluster) url(name string) *url.URL {
	for _, n := range c.nodes {
		if n.name() == name {
			return &url.URL{Scheme: "http", Host: n.listener.Addr().String()}
		}
	}
	return nil
}

// following returns addr with a port that is i greater. Port 0 stays, and is any port.
func following(addr string, i int) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return "", err
	}
	if number > 0 {
		number += i
	}
	return net.JoinHostPort(host, strconv.Itoa(number)), nil
}

// close ends all nodes, as far as they were started. The sessions end first, because their
// requests wait for events. Clients that are not told in time notice the end by themselves.
func (c *cluster) close() {
	ctx, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	for _, n := range c.nodes {
		_ = n.io.Shutdown(ctx)
		_ = n.web.Shutdown(ctx)
		_ = n.listener.Close() // it is closed, unless the node has not served
	}
	for _, l := range c.links {
		_ = l.Close(ctx)
	}
}
