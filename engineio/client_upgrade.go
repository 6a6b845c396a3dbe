package engineio

// clientTransitions is the table of a client: the same states and events as those of
// a session, seen from the other side. A client chooses the moments itself, and what
// it has dropped may still speak.
//
//	+---------+  attach   +---------+  probe   +--------+  switch   +----------+
//	| polling | --------> | probing | -------> | probed | --------> | upgraded |
//	+---------+           +---------+          +--------+           +----------+
//	     ^                     |                    |
//	     +------ abandon ------+------ abandon -----+
//
//	state     requests                        the WebSocket
//	polling   carry everything                may be being dialed
//	probing   carry everything                is open, "2probe" was sent
//	probed    none begins, a few are awaited  "3probe" has come
//	upgraded  none                            "5" was sent, it carries everything
//	closed    at most those that say so       is being closed
//
//	event     what happens to a client
//	attach    the WebSocket that it dials is open
//	probe     "3probe" comes on the probing WebSocket
//	switchTo  no request is under way
//	abandon   anything else on the probing WebSocket, its end, or UpgradeTimeout
//	end       the session ends, for any reason
//
// In probed nothing has been sent on the WebSocket that counts. So when a GET stays
// unanswered there, the way back to polling loses nothing.
var clientTransitions = table{
	polling: transitions[polling],
	probing: {
		attach:   {probing, refuseProbe},
		probe:    {probed, pauseRequests},
		switchTo: {probing, nothing},
		abandon:  {polling, dropProbe},
		end:      {closed, closeSession},
	},
	probed: {
		attach:   {probed, refuseProbe},
		probe:    {polling, dropProbe},
		switchTo: {upgraded, moveOver},
		abandon:  {polling, dropProbe},
		end:      {closed, closeSession},
	},
	upgraded: transitions[upgraded],
	closed:   transitions[closed],
}
