package handshake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing/iotest"
	"time"

	"github.com/parleyws/parley/handshake"
)

// A server that lets pages of another host in and speaks two subprotocols.
func ExampleAccept() {
	options := &handshake.Options{
		Origins:      []string{"https://app.example.com", "localhost:*"},
		Subprotocols: []string{"chat.v2", "chat.v1"},
		Deflate:      &handshake.DeflateOptions{},
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		res, err := handshake.Accept(w, r, options)
		if err != nil {
			return // the response has been written
		}
		defer res.Conn.Close()
		// Frames begin here: first what is in res.Buffered.
		fmt.Fprintf(res.Conn, "you are at %s", res.Target)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(handler))
	server.Config.ReadHeaderTimeout = 10 * time.Second
	server.Start()
	defer server.Close()

	res, _, err := handshake.Dial(context.Background(), server.URL+"/room", &handshake.DialOptions{
		Subprotocols: []string{"chat.v1"},
		Header:       http.Header{"Origin": {"http://localhost:5173"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer res.Conn.Close()
	rest, err := io.ReadAll(res.Conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Subprotocol)
	fmt.Printf("%s%s\n", res.Buffered, rest)
	// Output:
	// chat.v1
	// you are at /room
}

// A server without net/http, and a client that asks in vain.
func ExampleAcceptConn() {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	options := &handshake.Options{
		Before: func(r *http.Request) (http.Header, error) {
			if r.URL.Query().Get("token") == "" {
				return nil, &handshake.Error{Status: http.StatusUnauthorized, Reason: "no token"}
			}
			return http.Header{"X-Room": {"7"}}, nil
		},
	}
	go func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				res, err := handshake.AcceptConn(nc, options)
				if err != nil {
					return // nc has been closed
				}
				res.Conn.Close()
			}()
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	url := "ws://" + listener.Addr().String()
	res, _, err := handshake.Dial(ctx, url+"/?token=x", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("room", res.Header.Get("X-Room"))
	res.Conn.Close()

	_, _, err = handshake.Dial(ctx, url, nil)
	if e, ok := errors.AsType[*handshake.DialError](err); ok {
		fmt.Printf("%d: %s", e.Status, e.Body)
	}
	// Output:
	// room 7
	// 401: no token
}

// A handshake whose bytes come from anywhere, here from a string in pieces.
func ExampleOpening() {
	request := "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nframes"
	source := iotest.HalfReader(strings.NewReader(request))
	h := handshake.Opening{Peer: client{}}
	defer h.Release()
	for done := false; !done; {
		n, err := source.Read(h.Room())
		if err != nil {
			log.Fatal(err)
		}
		done = h.Take(n)
	}
	status, _, _ := strings.Cut(string(h.Response(time.Now())), "\r\n")
	fmt.Println(status)
	result, err := h.Result()
	if err != nil {
		log.Fatal(err)
	}
	rest, _ := io.ReadAll(source)
	fmt.Printf("%s, then %s%s\n", result.Target, result.Buffered, rest)
	fmt.Println(h.Request().Host, h.Request().RemoteAddr)
	// Output:
	// HTTP/1.1 101 Switching Protocols
	// /chat, then frames
	// example.com 192.0.2.1:5000
}

// client is where the request of ExampleOpening comes from.
type client struct{}

func (client) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:5000"))
}
