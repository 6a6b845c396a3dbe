package redisadapter

import (
	"crypto/rand"
	"sync"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// newUID returns the name of a node in a namespace, or of a request. Those of Node have
// six characters.
func newUID() string { return rand.Text()[:12] }

// A pending request waits for answers of other nodes. They don't say which node they
// are from, so they are counted. Guarded by requests.mu, but for id, kind, replies
// and done.
type pending struct {
	id      string
	kind    int              // typeRooms, typeFetch, typeServerEvent or typeClients
	replies socketio.Replies // of typeServerEvent and typeClients
	asked   int              // how many nodes are asked; -1: not known yet
	nodes   int              // how many have answered
	clients int              // that these ask
	acks    int              // of the clients
	taking  int              // answers that replies is about to have
	rooms   []string
	sockets []socketio.RemoteSocket
	done    chan struct{} // closed when nothing is missing
	over    bool          // done is closed, or the caller has gone
}

func newPending(kind int) *pending {
	return &pending{id: newUID(), kind: kind, asked: -1, done: make(chan struct{})}
}

// requests are those that are under way.
type requests struct {
	mu   sync.Mutex
	byID map[string]*pending
}

func (r *requests) add(p *pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = make(map[string]*pending)
	}
	r.byID[p.id] = p
}

// remove forgets a request. Afterwards nothing of it changes.
func (r *requests) remove(p *pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.over = true
	delete(r.byID, p.id)
}

// find returns the request that an answer names, nil if it is none of this node's.
func (r *requests) find(id []byte) *pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[string(id)]
}

// expect says how many nodes are asked.
func (r *requests) expect(p *pending, nodes int) {
	if p.kind == typeServerEvent {
		p.replies.Expect(nodes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.asked = nodes
	p.check()
}

// check completes p if nothing is missing. Called with mu held.
func (p *pending) check() {
	if !p.over && p.asked >= 0 && p.nodes >= p.asked && p.acks >= p.clients && p.taking == 0 {
		p.over = true
		close(p.done)
	}
}

// errAnswer is the error of an answer that does not fit its request.
var errAnswer error = &parser.Error{Reason: "answer to another question, or to none"}

// An answer is what another node has answered.
type answer struct {
	typ     int
	clients int              // typeClients
	value   socketio.Encoded // typeAck and typeServerEvent
	rooms   []string
	sockets []socketio.RemoteSocket
}

const (
	maxNodes   = 10_000 // that may answer
	maxClients = 1 << 30
)

// take adds an answer. What comes after the end is ignored.
func (r *requests) take(p *pending, a *answer) error {
	r.mu.Lock()
	if p.over {
		r.mu.Unlock()
		return nil
	}
	if !p.fits(a) {
		r.mu.Unlock()
		return errAnswer
	}
	switch a.typ {
	case typeAck:
		p.acks++
	case typeClients:
		p.clients += a.clients
		p.nodes++
	default:
		p.nodes++
	}
	p.rooms = append(p.rooms, a.rooms...)
	p.sockets = append(p.sockets, a.sockets...)
	p.taking++
	r.mu.Unlock()
	switch a.typ { // with no lock held: Replies decodes what the user wants
	case typeClients:
		p.replies.Expect(a.clients)
	case typeAck, typeServerEvent:
		p.replies.Reply(a.value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.taking--
	p.check()
	return nil
}

// maxEarly is how many acknowledgements may come of clients that no node has spoken of yet.
const maxEarly = 10_000

// fits reports whether a can be an answer to p. Called with mu held.
//
// A node says how many clients it asks before the first of them answers. But a client of
// Node for a Redis cluster publishes each message on any of the servers, where one may
// overtake another.
func (p *pending) fits(a *answer) bool {
	if a.typ == typeAck {
		most := p.clients
		if p.asked < 0 || p.nodes < p.asked {
			most += maxEarly
		}
		return p.kind == typeClients && p.acks < most
	}
	most := maxNodes
	if p.asked >= 0 {
		most = p.asked
	}
	return a.typ == p.kind && p.nodes < most && a.clients >= 0 && p.clients <= maxClients-a.clients
}
