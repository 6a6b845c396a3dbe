package engineio

// A state says which transport a session uses (Engine.IO protocol v4,
// "Transports" and "Upgrading to WebSocket"). The table below is all there is
// to know of an upgrade; who holds the session's mutex acts on its answers.
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
	probing               // a WebSocket is there, requests carry everything
	probed                // "3probe" is out: a GET that waits is released soon
	upgraded              // the WebSocket carries everything, or always has
	closed                // the session is over; it may still answer one GET
	states
)

// An event is what may happen to a transport.
type event uint8

const (
	attach   event = iota // a WebSocket with the session's id
	probe                 // "2probe" on the probing WebSocket
	switchTo              // "5" on the probing WebSocket
	abandon               // anything else on it, its end, or upgradeTimeout
	end                   // the session ends, for any reason
	events
)

// An action is what is to be done about an event.
type action uint8

const (
	nothing      action = iota
	keepProbe           // the WebSocket becomes the probing one
	refuseProbe         // the WebSocket is closed, the session goes on
	answerProbe         // send "3probe", release GETs from now on
	moveOver            // the WebSocket becomes the transport
	dropProbe           // close the probing WebSocket
	closeSession        // close the transport and the probing WebSocket
)

type transition struct {
	next state
	do   action
}

// transitions has an answer to every event in every state. "5" does without
// a probe before it, and a probe may come again.
var transitions = [states][events]transition{
	polling: {
		attach:   {probing, keepProbe},
		probe:    {polling, nothing}, // of a WebSocket that was dropped meanwhile,
		switchTo: {polling, nothing}, // and so are these
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
		switchTo: {closed, nothing},
		abandon:  {closed, nothing},
		end:      {closed, nothing},
	},
}

// on moves s on and returns what is to be done.
func (s *state) on(e event) action {
	t := transitions[*s][e]
	*s = t.next
	return t.do
}
