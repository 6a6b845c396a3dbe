package engineio_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/parleyws/parley/engineio"
)

// A shouter sends back what it gets, louder.
type shouter struct{ s *engineio.Session }

func (r shouter) Message(data []byte, binary bool) {
	if !binary {
		r.s.Send(engineio.NewMessage([]byte(strings.ToUpper(string(data))), false))
	}
}

func (r shouter) Closed(reason engineio.Reason) { fmt.Println("closed:", reason) }

func Example() {
	server, err := engineio.NewServer(func(s *engineio.Session) engineio.Receiver {
		return shouter{s}
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()

	// What a browser without WebSocket does.
	url := web.URL + "/engine.io/?EIO=4&transport=polling"
	read := func(resp *http.Response, err error) string {
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	open := read(http.Get(url))
	url += "&sid=" + strings.Split(open, `"`)[3]
	fmt.Println(read(http.Post(url, "text/plain", strings.NewReader("4hello"))))
	fmt.Println(read(http.Get(url)))
	fmt.Println(read(http.Post(url, "text/plain", strings.NewReader("1"))))
	// Output:
	// ok
	// 4HELLO
	// closed: transport close
	// ok
}

// A listener prints what it gets.
type listener struct{ got chan string }

func (l listener) Message(data []byte, binary bool) { l.got <- string(data) }
func (l listener) Closed(reason engineio.Reason)    { fmt.Println("ended:", reason) }

func ExampleDial() {
	server, err := engineio.NewServer(func(s *engineio.Session) engineio.Receiver {
		return shouter{s}
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()

	l := listener{make(chan string, 1)}
	c, err := engineio.Dial(context.Background(), web.URL, func(*engineio.Client) engineio.Receiver {
		return l
	}, &engineio.DialOptions{Transports: []string{"websocket", "polling"}, TryAllTransports: true})
	if err != nil {
		log.Fatal(err)
	}
	c.Send(engineio.NewMessage([]byte("hello"), false))
	fmt.Println(<-l.got, "over", c.Transport())
	server.Shutdown(context.Background())
	<-c.Done()
	fmt.Println(c.Err())
	// Unordered output:
	// HELLO over websocket
	// closed: server shutting down
	// ended: transport close
	// engine.io: session ended: transport close: websocket: closed by the peer: 1001 going away
}
