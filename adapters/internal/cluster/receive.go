package cluster

import (
	"context"
	"slices"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// Errors of Receive.
var (
	errType   error = &parser.Error{Reason: "unknown type of a cluster message"}
	errCalls  error = &parser.Error{Reason: "too many events wait for acknowledgements of clients"}
	errNobody error = &parser.Error{Reason: "cluster message without its sender or request"}
)

// Receive does what m says, in a batch unless that is nil, if another node has sent it.
// Nothing of m is kept. Messages of one node are given to Receive one after the other, in
// the order in which they were sent. Receive does not wait. An error says why m was
// refused.
func (n *Node) Receive(b *socketio.Batch, m *Message) error {
	if m.UID == n.uid || !n.users.Enter() {
		return nil
	}
	defer n.users.Leave()
	switch m.Type {
	case Broadcast:
		if m.Request != "" {
			return n.call(m)
		}
		if !n.keeps && len(m.Target.Rooms) > 0 && !slices.ContainsFunc(m.Target.Rooms, n.local.HasRoom) {
			return nil // judging what is for nobody here is what costs most
		}
		return b.Broadcast(n.local, m.Target, m.Event)
	case Join:
		return n.local.Join(m.Target, m.Rooms)
	case Leave:
		n.local.Leave(m.Target, m.Rooms)
	case Disconnect:
		n.local.Disconnect(m.Target, m.Connection)
	case Fetch:
		return n.fetch(m)
	case ServerEvent:
		return n.serverEvent(m)
	case Fetched, ServerAnswer, Clients, Ack:
		return n.requests.answer(m)
	case Hello, Alive, Gone: // the transport's
	default:
		return errType
	}
	return nil
}

// call delivers an event that asks for acknowledgements. Each node says how many
// clients it asks, also if there are none.
func (n *Node) call(m *Message) error {
	if m.UID == "" {
		return errNobody
	}
	if !n.users.EnterCall(n.o.Calls) {
		return errCalls
	}
	clients, wait, err := n.local.Call(m.Target, m.Event)
	if err != nil {
		n.users.LeaveCall()
		return err
	}
	uid, request, timeout := m.UID, m.Request, m.Timeout
	if timeout <= 0 || timeout > maxAckTime {
		timeout = n.o.AckTime
	}
	err = n.transport.Send(uid, &Message{Type: Clients, UID: n.uid, Request: request, Count: clients})
	if clients == 0 {
		n.users.LeaveCall()
		return err
	}
	go func() {
		defer n.users.LeaveCall()
		ctx, cancel := context.WithTimeout(n.over, timeout)
		defer cancel()
		// What is missing is missing for the other node too, which has the same time.
		_ = wait(ctx, func(answer socketio.Encoded) {
			// A transport that fails has counted it.
			_ = n.transport.Send(uid, &Message{Type: Ack, UID: n.uid, Request: request, Answer: answer})
		})
	}()
	return err
}

func (n *Node) fetch(m *Message) error {
	if m.UID == "" || m.Request == "" {
		return errNobody
	}
	return n.transport.Send(m.UID, &Message{Type: Fetched, UID: n.uid, Request: m.Request, Sockets: n.local.Fetch(m.Target)})
}

func (n *Node) serverEvent(m *Message) error {
	if m.Request == "" {
		return n.local.ServerSideEvent(m.Event, nil)
	}
	uid, request := m.UID, m.Request
	return n.local.ServerSideEvent(m.Event, func(answer socketio.Encoded) {
		if n.users.Enter() {
			defer n.users.Leave()
			_ = n.transport.Send(uid, &Message{Type: ServerAnswer, UID: n.uid, Request: request, Answer: answer})
		}
	})
}
