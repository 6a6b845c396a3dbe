package redisadapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// errOwn is what becomes of a message of this node, which Redis sends to it too.
var errOwn = errors.New("own message")

// errCalls is the error of a request that comes while too many are worked on.
var errCalls error = &parser.Error{Reason: "too many requests of other nodes at once"}

// request does what a request asks for.
func (in *intake) request(n *namespace, payload []byte) error {
	if len(payload) == 0 || payload[0] != '{' {
		m, err := in.d.object(payload)
		switch {
		case err != nil:
			return err
		case string(m.uid) == n.uid:
			return errOwn
		case m.typ != typeCall || len(m.id) == 0:
			return errForm
		}
		return in.call(n, &m)
	}
	if bytes.Contains(payload[:min(len(payload), 64)], []byte(n.uid)) { // most begin with it
		var own struct{ UID string }
		if json.Unmarshal(payload, &own) == nil && own.UID == n.uid {
			return errOwn
		}
	}
	q := request{Type: -1}
	if err := json.Unmarshal(payload, &q); err != nil {
		return errForm
	}
	if q.UID == n.uid {
		return errOwn
	}
	if !n.users.Enter() {
		return nil
	}
	defer n.users.Leave()
	return n.perform(&q)
}

// perform does what a request asks for that is JSON.
func (n *namespace) perform(q *request) error {
	switch q.Type {
	case typeJoin:
		if q.Opts == nil {
			return n.local.Join(socketio.Target{Rooms: []string{q.SID}}, []string{string(q.Room)})
		}
		return n.local.Join(q.Opts.target(), q.Rooms)
	case typeLeave:
		if q.Opts == nil {
			n.local.Leave(socketio.Target{Rooms: []string{q.SID}}, []string{string(q.Room)})
			return nil
		}
		n.local.Leave(q.Opts.target(), q.Rooms)
		return nil
	case typeDisconnect:
		connection := q.Close != nil && *q.Close
		if q.Opts == nil {
			n.local.Disconnect(socketio.Target{Rooms: []string{q.SID}}, connection)
			return nil
		}
		n.local.Disconnect(q.Opts.target(), connection)
		return nil
	case typeServerEvent:
		return n.serverEvent(q)
	case typeSockets, typeRooms, typeFetch:
		if q.RequestID == "" {
			return errForm
		}
		if !n.users.EnterCall(maxCalls) {
			return errCalls
		}
		go func() {
			defer n.users.LeaveCall()
			n.describe(q)
		}()
		return nil
	}
	return errForm
}

// describe answers a request for sockets or rooms.
func (n *namespace) describe(q *request) {
	var a any
	switch q.Type {
	case typeRooms:
		a = struct {
			RequestID string   `json:"requestId"`
			Rooms     []string `json:"rooms"`
		}{q.RequestID, list(n.local.Rooms())}
	case typeSockets:
		ids := []string{}
		for _, s := range n.local.Fetch(socketio.Target{Rooms: q.Rooms}) {
			ids = append(ids, s.ID)
		}
		a = struct {
			RequestID string   `json:"requestId"`
			Sockets   []string `json:"sockets"`
		}{q.RequestID, ids}
	case typeFetch:
		var t socketio.Target
		if q.Opts != nil {
			t = q.Opts.target()
		}
		a = fetched{RequestID: q.RequestID, Sockets: n.sockets(t)}
	}
	text, err := encodeJSON(a)
	if err != nil {
		n.b.o.Logger.Error("socket.io: an answer to another node can't be encoded", "namespace", n.local.Name(), "error", err)
		return
	}
	n.reply(q.UID, text)
}

// reply publishes an answer for a node. What fails is counted by the publisher.
func (n *namespace) reply(uid string, payload []byte) {
	if n.b.o.SpecificResponses && uid != "" {
		_ = n.b.publish(payload, n.response, uid, "#")
		return
	}
	_ = n.b.publish(payload, n.response)
}

// serverEvent hands an event of another server to the handlers.
func (n *namespace) serverEvent(q *request) error {
	event := binary(q.Data)
	if q.RequestID == "" {
		return n.local.ServerSideEvent(event, nil)
	}
	id := q.RequestID
	return n.local.ServerSideEvent(event, func(value socketio.Encoded) {
		if !n.users.Enter() {
			return
		}
		defer n.users.Leave()
		text, err := encodeJSON(struct {
			Type      int             `json:"type"`
			RequestID string          `json:"requestId"`
			Data      json.RawMessage `json:"data"`
		}{typeServerEvent, id, plain(value)})
		if err == nil {
			_ = n.b.publish(text, n.response) // never to one node alone
		}
	})
}

// call delivers an event that asks for acknowledgements. Each node says how many
// clients it asks, also if there are none.
func (in *intake) call(n *namespace, m *message) error {
	event, err := in.d.event(m, n.local.Name())
	if err != nil {
		return err
	}
	if !n.users.EnterCall(maxCalls) {
		return errCalls
	}
	clients, wait, err := n.local.Call(m.target, event)
	if err != nil {
		n.users.LeaveCall()
		return err
	}
	uid, id, timeout := string(m.uid), string(m.id), m.timeout
	if timeout == 0 {
		timeout = n.b.o.AckTime
	}
	text, err := encodeJSON(struct {
		Type        int    `json:"type"`
		RequestID   string `json:"requestId"`
		ClientCount int    `json:"clientCount"`
	}{typeClients, id, clients})
	if err == nil {
		n.reply(uid, text)
	}
	if clients == 0 {
		n.users.LeaveCall()
		return nil
	}
	go func() {
		defer n.users.LeaveCall()
		ctx, cancel := context.WithTimeout(n.over, timeout)
		defer cancel()
		// What is missing is missing for the other node too, which has the same time.
		_ = wait(ctx, func(value socketio.Encoded) { n.reply(uid, appendAck(nil, id, value)) })
	}()
	return nil
}

// answer takes an answer to a request of this node. Most answers on the channel of all
// nodes are to other nodes' requests.
func (in *intake) answer(n *namespace, payload []byte) error {
	if len(payload) == 0 || payload[0] != '{' {
		m, err := in.d.object(payload)
		if err != nil {
			return err
		}
		p := n.requests.find(m.id)
		switch {
		case p == nil:
			return nil
		case m.typ == typeClients:
			return n.requests.take(p, &answer{typ: typeClients, clients: m.clients})
		case m.typ != typeAck:
			return errForm
		}
		value, err := in.d.value(&m)
		if err != nil {
			return err
		}
		return n.requests.take(p, &answer{typ: typeAck, value: value})
	}
	p := n.requests.find(requestID(payload))
	if p == nil {
		return nil
	}
	a, err := readAnswer(payload, p)
	if err != nil {
		return err
	}
	return n.requests.take(p, a)
}

// requestID returns the id in an answer that is JSON, which all nodes write before what
// the user has given. That need not be decoded then if another node has asked.
func requestID(payload []byte) []byte {
	_, after, _ := bytes.Cut(payload, []byte(`"requestId":"`))
	id, _, _ := bytes.Cut(after, []byte(`"`))
	return id
}

// readAnswer reads an answer to p that is JSON.
func readAnswer(payload []byte, p *pending) (*answer, error) {
	var in struct {
		RequestID   string          `json:"requestId"`
		Type        *int            `json:"type"`
		ClientCount int             `json:"clientCount"`
		Rooms       names           `json:"rooms"`
		Sockets     []socket        `json:"sockets"`
		Data        json.RawMessage `json:"data"`
	}
	if json.Unmarshal(payload, &in) != nil || in.RequestID != p.id {
		return nil, errForm
	}
	a := &answer{typ: p.kind, clients: in.ClientCount, rooms: in.Rooms}
	if in.Type != nil {
		a.typ = *in.Type
	}
	switch {
	case a.typ != p.kind, a.typ != typeClients && a.clients != 0, a.typ != typeRooms && len(a.rooms) > 0, a.typ != typeFetch && len(in.Sockets) > 0:
		return nil, errAnswer
	case a.typ == typeServerEvent && in.Data == nil:
		a.value.Data = json.RawMessage("null") // undefined
	case a.typ == typeServerEvent:
		a.value = binary(in.Data)
	}
	for i := range in.Sockets {
		s, err := in.Sockets[i].remote()
		if err != nil {
			return nil, err
		}
		a.sockets = append(a.sockets, s)
	}
	return a, nil
}
