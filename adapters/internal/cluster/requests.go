package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// maxAckTime is the longest time that another node may make this one wait for its
// clients. One that asks for more gets Options.AckTime.
const maxAckTime = time.Hour

// errGone is the error of a request one of whose nodes has gone before it has answered
// in full.
var errGone = errors.New("socket.io: a node has left the cluster")

// errAnswer is the error of an answer that does not fit its request.
var errAnswer error = &parser.Error{Reason: "answer of a node that was not asked, or to another question"}

// A request waits for the answers of other nodes. Guarded by requests.mu, but for id,
// kind and done.
type request struct {
	id      string
	kind    Type                // of the answer that each node gives once: Fetched, ServerAnswer or Clients
	replies socketio.Replies    // of Clients and ServerAnswer
	nodes   map[string]*replier // those that have answered or are asked, by their names
	asked   int                 // how many nodes are asked; -1: not known yet
	named   bool                // the nodes that are asked are known by name
	taking  int                 // answers that Replies is about to have
	sockets []socketio.RemoteSocket
	err     error
	done    chan struct{} // closed when nothing is missing
	over    bool          // done is closed, or the caller has gone
}

// A replier is a node that a request has heard of.
type replier struct {
	asked    bool // for certain
	answered bool // the answer of the request's kind has come
	clients  int  // that it asks
	acks     int  // of these, which have come
	gone     bool
}

// requests are those that are under way.
type requests struct {
	mu   sync.Mutex
	byID map[string]*request
}

// begin makes a request, which end ends.
func (r *requests) begin(kind Type) *request {
	q := &request{id: NewUID(), kind: kind, nodes: make(map[string]*replier), asked: -1, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = make(map[string]*request)
	}
	r.byID[q.id] = q
	return q
}

// expect says how many nodes are asked, and which, if that is known.
func (r *requests) expect(q *request, nodes int, names []string) {
	if q.kind == ServerAnswer {
		q.replies.Expect(nodes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	q.asked, q.named = nodes, names != nil
	for _, name := range names {
		q.replier(name).asked = true
	}
	q.check()
}

// end forgets a request. Afterwards nothing of it changes.
func (r *requests) end(q *request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q.over = true
	delete(r.byID, q.id)
}

// check completes q if nothing is missing. Called with mu held.
func (q *request) check() {
	if q.over || q.asked < 0 || q.taking > 0 {
		return
	}
	complete, lost := 0, false
	for _, n := range q.nodes {
		switch {
		case q.named && !n.asked:
		case n.answered && n.acks >= n.clients:
			complete++
		case n.gone:
			complete++
			lost = true
		}
	}
	if complete < q.asked {
		return
	}
	if lost {
		q.err = errGone
	}
	q.over = true
	close(q.done)
}

// replier returns what q knows of a node. Called with mu held.
func (q *request) replier(uid string) *replier {
	n := q.nodes[uid]
	if n == nil {
		n = new(replier)
		q.nodes[uid] = n
	}
	return n
}

// answer takes an answer. One that comes too late, or twice, is ignored.
func (r *requests) answer(m *Message) error {
	r.mu.Lock()
	q := r.byID[m.Request]
	if q == nil || q.over {
		r.mu.Unlock()
		return nil
	}
	if !q.fits(m) {
		r.mu.Unlock()
		return errAnswer
	}
	fresh := q.replier(m.UID).take(m)
	if fresh && m.Type == Fetched {
		q.sockets = append(q.sockets, m.Sockets...)
	}
	q.taking++
	r.mu.Unlock()
	if fresh {
		switch m.Type { // with no lock held: Replies decodes what the user wants
		case Clients:
			q.replies.Expect(m.Count)
		case Ack, ServerAnswer:
			q.replies.Reply(m.Answer)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	q.taking--
	q.check()
	return nil
}

// take counts an answer of n. It returns false for one that has come before.
func (n *replier) take(m *Message) bool {
	if m.Type == Ack {
		n.acks++
		return !n.answered || n.acks <= n.clients
	}
	if n.answered {
		return false
	}
	n.answered, n.clients = true, m.Count
	return true
}

// fits reports whether m can be an answer to q. Called with mu held.
func (q *request) fits(m *Message) bool {
	return m.UID != "" && m.Count >= 0 && (m.Type == q.kind || m.Type == Ack && q.kind == Clients) &&
		(q.nodes[m.UID] != nil || len(q.nodes) < maxNodes)
}

// maxNodes is how many nodes may answer a request.
const maxNodes = 10_000

// gone tells all requests that a node is there no more.
func (r *requests) gone(uid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.byID {
		q.replier(uid).gone = true
		q.check()
	}
}
