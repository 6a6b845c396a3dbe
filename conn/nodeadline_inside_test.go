package conn

import (
	"context"
	"net"
	"testing"

	"github.com/parleyws/parley/handshake"
)

// TestClosedForAnotherRead: where the end of a ctx can only close the stream, the read with that ctx
// fails with its error. A read with another ctx, which may have begun by then, is told what was done.
func TestClosedForAnotherRead(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
	c.end(cut, errNoDeadlines)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.in.ended(ended); contextError("read", ended).Error() != err.Error() {
		t.Errorf("the read whose ctx has ended is told %v", err)
	}
	if err := c.in.ended(context.Background()); err != errNoDeadlines {
		t.Errorf("the read whose ctx lives is told %v", err)
	}
	<-c.Done()
}
