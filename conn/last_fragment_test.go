package conn_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/wstest"
)

// A ctx that ends while the last fragment of a Writer is on its way gives
// nothing up: the message is whole.
func TestWriterLastFragment(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		ctx, cancel := context.WithCancel(context.Background())
		w := must(b.c.Writer(ctx, conn.Binary))
		message := make([]byte, 64<<10+30<<10)
		written := make(chan error)
		go func() {
			if _, err := w.Write(message); err != nil {
				b.Error(err)
			}
			written <- nil
			err := w.Close()
			written <- err
		}()
		first, err := b.p.Next() // the first fragment goes out
		if err != nil {
			b.Fatal(err)
		}
		// What is left fills the stream: the last fragment finds no room.
		<-written
		synctest.Wait()
		select {
		case <-written:
			b.Skip("the fragment found room")
		default:
		}
		cancel()
		<-written
		last, err := b.p.Next()
		if err != nil || len(first.Payload)+len(last.Payload) != len(message) || !last.Header.Fin {
			b.Fatalf("%v, %v", last, err)
		}
		go b.c.Write(context.Background(), conn.Text, []byte("next"))
		b.p.Want(wstest.Text("next"))
	})
}
