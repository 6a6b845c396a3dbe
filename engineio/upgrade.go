package engineio

// A state says which transport a session uses (Engine.IO protocol v4,
// "Transports" and "Upgrading to WebSocket"). The requests of one client are
// handled in any order, so every event may come in every state: transitions has
// an answer to each, and the caller, which holds the session's mutex, acts on it.
//
//	+---------+  attach   +---------+  probe   +--------+
//	| polling | --------> | probing | -------> | probed |
//	+---------+           +---------+          +--------+
//	     ^                  |  |                 |  |
//	     +---- abandon -----+--|---- abandon ----+  |
//	                           |                    |
//	                    switch v       switch       v
//	                         +------------------------+
//	                         |        upgraded        |
//	                         +------------------------+
//
// Every state but closed goes to closed when the session ends.
type state uint8

const (
	polling  state = iota // requests carry everything
	probing               // there is a WebSocket, requests still carry everything
	probed                // "3probe" was sent: a GET that waits is released soon
	upgraded              // the WebSocket carries everything
	closed                // the session is over; it may still answer one GET
	states
)

// An event is what may happen to a transport.
type event uint8

const (
	attach   event = iota // a WebSocket request with the session's id
	probe                 // "2probe" on the probing WebSocket
	switchTo              // "5" on the probing WebSocket
	abandon               // anything else on the probing WebSocket, its end, or UpgradeTimeout
	end                   // the session ends, for any reason
	events
)

// An action is what the caller has to do about an event.
type action uint8

const (
	nothing      action = iota
	keepProbe           // the WebSocket becomes the probing one
	refuseProbe         // the WebSocket is closed, the session goes on
	answerProbe         // send "3probe", and release GETs from now on
	moveOver            // the WebSocket becomes the transport
	dropProbe           // close the probing WebSocket
	closeSession        // close the transport, and the probing WebSocket unless the session lingers
	sendRest            // send over the WebSocket, if the session lingers, what a GET would have got

	pauseRequests // of a client: begin no request, and await those that are under way
)

type transition struct {
	next state
	do   action
}

// A table has an answer to every event in every state.
type table [states][events]transition

// transitions has an answer to every event in every state. A "5" needs no probe
// before it, and a probe may come again. In polling, probe, switchTo and abandon
// come from a WebSocket that was dropped meanwhile.
var transitions = table{
	polling: {
		attach:   {probing, keepProbe},
		probe:    {polling, nothing},
		switchTo: {polling, nothing},
		abandon:  {polling, nothing},
		end:      {closed, closeSession},
	},
	probing: {
		attach:   {probing, refuseProbe},
		probe:    {probed, answerProbe},
		switchTo: {upgraded, moveOver},
		abandon:  {polling, dropProbe},
		end:      {closed, closeSession},
	},
	probed: {
		attach:   {probed, refuseProbe},
		probe:    {probed, answerProbe},
		switchTo: {upgraded, moveOver},
		abandon:  {polling, dropProbe},
		end:      {closed, closeSession},
	},
	upgraded: {
		attach:   {upgraded, refuseProbe},
		probe:    {upgraded, nothing},
		switchTo: {upgraded, nothing},
		abandon:  {upgraded, nothing},
		end:      {closed, closeSession},
	},
	closed: {
		attach:   {closed, refuseProbe},
		probe:    {closed, nothing},
		switchTo: {closed, sendRest},
		abandon:  {closed, nothing},
		end:      {closed, nothing},
	},
}

// on moves the state of a session to its next one and returns what the caller has to
// do.
func (s *state) on(e event) action { return s.follow(&transitions, e) }

// follow moves s as a table says and returns what the caller has to do.
func (s *state) follow(t *table, e event) action {
	m := t[*s][e]
	*s = m.next
	return m.do
}
