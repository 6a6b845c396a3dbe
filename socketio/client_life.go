package socketio

// lifeHandlers holds the handlers of a client's life. Guarded by actor.mu; the lists
// are appended to and never modified.
type lifeHandlers struct {
	connect      []func()
	disconnect   []func(Reason, error)
	connectError []func(error)
	attempt      []func(int)
	reconnect    []func(int)
	failed       []func()
}

// OnConnect adds a handler that is called each time the namespace was joined: also
// after a reconnection, when the server knows nothing of the rooms and the state of
// before, unless Recovered says otherwise. Events that waited were sent before it is
// called. What the server's middleware has emitted, and what a recovered Client has missed,
// may have been handled before, or follow.
//
// Handlers of a Client run one after the other on a goroutine of its own, in the order
// in which things have happened, and those of events with them.
func (c *Client) OnConnect(f func()) {
	need(f != nil, "OnConnect: nil function")
	c.register(func(l *lifeHandlers) { l.connect = append(l.connect, f) })
}

// OnDisconnect adds a handler for the end of a connection to the namespace. The Client
// comes back by itself unless the reason is IOServerDisconnect or IOClientDisconnect,
// or Reconnection.Off is set; see Active. err says what happened: an
// *engineio.EndError, a *parser.Error if the server broke a rule, or that it did not
// answer within ClientLimits.JoinTimeout; nil if there is nothing to add.
func (c *Client) OnDisconnect(f func(reason Reason, err error)) {
	need(f != nil, "OnDisconnect: nil function")
	c.register(func(l *lifeHandlers) { l.disconnect = append(l.disconnect, f) })
}

// OnConnectError adds a handler for attempts to join the namespace that have failed. A
// *ConnectError is the server's refusal, after which the Client does nothing until
// Connect is called, and so is ErrDisconnected: the server has sent the Client away
// instead of an answer. Any other error is one of AuthFunc or of the connection, as
// engineio.Dial returns it, and another attempt follows; see Active.
func (c *Client) OnConnectError(f func(err error)) {
	need(f != nil, "OnConnectError: nil function")
	c.register(func(l *lifeHandlers) { l.connectError = append(l.connectError, f) })
}

// OnReconnectAttempt adds a handler that is called before an attempt to dial again.
// attempt counts from 1 since the last connection.
func (c *Client) OnReconnectAttempt(f func(attempt int)) {
	need(f != nil, "OnReconnectAttempt: nil function")
	c.register(func(l *lifeHandlers) { l.attempt = append(l.attempt, f) })
}

// OnReconnect adds a handler that is called when an attempt to dial again has
// succeeded, before the namespace is joined.
func (c *Client) OnReconnect(f func(attempt int)) {
	need(f != nil, "OnReconnect: nil function")
	c.register(func(l *lifeHandlers) { l.reconnect = append(l.reconnect, f) })
}

// OnReconnectFailed adds a handler that is called when Reconnection.Attempts have
// failed. The Client does nothing then until Connect is called.
func (c *Client) OnReconnectFailed(f func()) {
	need(f != nil, "OnReconnectFailed: nil function")
	c.register(func(l *lifeHandlers) { l.failed = append(l.failed, f) })
}

func (c *Client) register(add func(*lifeHandlers)) {
	c.actor.mu.Lock()
	defer c.actor.mu.Unlock()
	add(&c.life)
}

// tell calls the handlers that pick picks, each with call, on the actor's goroutine. If
// one panics the others are called all the same.
func tell[F any](c *Client, pick func(*lifeHandlers) []F, call func(F)) {
	c.dispatch(task{do: func() {
		c.actor.mu.Lock()
		list := pick(&c.life)
		c.actor.mu.Unlock()
		for _, f := range list {
			c.perform(task{do: func() { call(f) }})
		}
	}})
}

func (c *Client) tellConnect() {
	tell(c, func(l *lifeHandlers) []func() { return l.connect }, func(f func()) { f() })
}

func (c *Client) tellDisconnect(r Reason, err error) {
	tell(c, func(l *lifeHandlers) []func(Reason, error) { return l.disconnect }, func(f func(Reason, error)) { f(r, err) })
}

func (c *Client) tellConnectError(err error) {
	tell(c, func(l *lifeHandlers) []func(error) { return l.connectError }, func(f func(error)) { f(err) })
}

func (c *Client) tellAttempt(n int) {
	tell(c, func(l *lifeHandlers) []func(int) { return l.attempt }, func(f func(int)) { f(n) })
}

func (c *Client) tellReconnect(n int) {
	tell(c, func(l *lifeHandlers) []func(int) { return l.reconnect }, func(f func(int)) { f(n) })
}

func (c *Client) tellFailed() {
	tell(c, func(l *lifeHandlers) []func() { return l.failed }, func(f func()) { f() })
}
