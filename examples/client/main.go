// Command client is a chat in the terminal over Socket.IO, for examples/chat and for any
// server with its events. A line that is typed goes to the others in the room.
//
//	go run ./examples/client [-url http://127.0.0.1:3000] [-room general] [-name NAME] [-transport websocket|polling]
//
// It prints what happens, one line each: "connected ID", "disconnected REASON" and
// "received TEXT". Errors go to standard error. It comes back by itself when the server
// does, joins the room again, and then sends what was typed meanwhile. It ends with its
// input, once all is sent, or after 5 s; an interrupt ends it at once. Its status is 0
// then, 1 if the server refuses it or sends it away, and 2 after a wrong flag.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// graceTime bounds how long what is unsent at the end of the input is waited for, and
// the end of the connection.
const graceTime = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program: it returns the status. It ends with in, or with ctx; a Read of in
// may still be under way then.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.SetOutput(errs)
	url := flags.String("url", "http://127.0.0.1:3000", "the server; a path is the namespace")
	room := flags.String("room", "general", "the room to join")
	name := flags.String("name", "", "what the others see; the server chooses by default")
	o := socketio.DialOptions{NoWait: true}
	flags.Func("transport", "`websocket` or polling; by default the session begins on polling and moves", func(s string) error {
		if s != "websocket" && s != "polling" {
			return errors.New("want websocket or polling")
		}
		o.Engine.Transports = []string{s}
		return nil
	})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintln(errs, "client: unexpected argument:", flags.Arg(0))
		return 2
	}
	if *name != "" {
		o.Auth = map[string]string{"name": *name}
	}
	o.Logger = slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := dial(ctx, *url, *room, o, out, errs)
	if err != nil {
		fmt.Fprintln(errs, "client:", err)
		return 2
	}
	return c.chat(ctx, in)
}

// dial begins to connect. An error is one of url.
func dial(ctx context.Context, url, room string, o socketio.DialOptions, out, errs io.Writer) (*client, error) {
	c := &client{room: room, out: out, errs: errs, over: make(chan struct{})}
	o.Limits.BufferBytes = 1 // what is typed while away waits here, for the join
	o.Engine = engineio.DialOptions{Transports: o.Engine.Transports}
	o.Setup = c.register
	_, err := socketio.Dial(ctx, url, &o) // which calls register
	return c, err
}

// chat sends the lines of in until they or ctx end, or the server does not want us.
func (c *client) chat(ctx context.Context, in io.Reader) (status int) {
	read := make(chan error, 1)
	go func() { read <- c.read(ctx, in) }()
	var err error
	ended := false
	select {
	case err = <-read:
		ended = true
	case <-ctx.Done():
	case <-c.over:
		status = 1
	}
	if err != nil {
		c.complain(err)
	}
	late := time.After(graceTime) // for all that follows
	if ended {
		flushing, cancel := context.WithTimeout(ctx, graceTime)
		c.flush(flushing)
		cancel()
	}
	c.io.Close()
	select {
	case <-c.io.Done():
	case <-late:
	}
	return status
}

// flushSize is how much of the input may be unsent before more is read: less than what
// the client queues.
const flushSize = 1 << 20

// lineOverhead is what a line takes in the client's queue beside its text, at most.
const lineOverhead = 1 << 10

// read sends each line of in. It waits for the connection only if much is unsent, so
// that the end of what a person types is seen at once.
func (c *client) read(ctx context.Context, in io.Reader) error {
	r := bufio.NewReader(in)
	unsent := 0
	for {
		line, err := r.ReadString('\n')
		if line != "" { // or the input has ended with a line's end
			line = strings.TrimRight(line, "\r\n")
			c.say(line)
			unsent += len(line) + lineOverhead
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if unsent >= flushSize {
			_ = c.io.Flush(ctx)
			unsent = 0
		}
	}
}

// escaped returns text with its line ends, and whatever else could control a terminal,
// as escapes.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			quoted := fmt.Sprintf("%q", r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
