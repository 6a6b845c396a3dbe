package msgpack_test

import (
	"context"
	"log"
	"net/http"

	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// The handlers are the same as with the text form.
func Example() {
	io, err := socketio.NewServer(&socketio.Options{Parser: msgpack.Parser{}})
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		type Upload struct {
			Name string `json:"name"`
			Data []byte `json:"data"`
		}
		socketio.Handle(s, "upload", func(ctx context.Context, u Upload) (int, error) {
			return len(u.Data), nil
		})
	})
	log.Fatal(http.ListenAndServe("localhost:3000", io))
}
