package proof

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/internal/pipe"
)

// A regression is a kind of failure that software of this kind is known to have had.
type regression struct {
	kind  string
	in    []shell // where it is tried; nil: a server on goroutines
	says  string  // what the operator is told, among others
	holds int64   // as of a limit
	// proof names a test that knows more of the kind, or all: its directory and its name.
	proof string
	trip  func(a *arena)
}

// None of the failures is ours. What holds for each limit holds here as well: another client
// is served, memory stays within bounds, nothing is left.
func TestRegressions(t *testing.T) {
	for _, r := range slices.Concat(connRegressions, socketRegressions) {
		if r.proof != "" {
			wantTest(t, r.proof)
		}
		if r.trip == nil {
			continue
		}
		if r.in == nil {
			r.in = []shell{onGoroutines}
		}
		for _, shell := range r.in {
			t.Run(r.kind+"/"+string(shell), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := limit{says: r.says, holds: r.holds, trip: r.trip}
					l.tripped(&arena{T: t, shell: shell, l: pipe.Listen(), release: make(chan struct{})})
				})
			})
		}
	}
}

// Faults that this project has had, each with the test of its kind.
func TestFaultsStayMended(t *testing.T) {
	for fault, proof := range map[string]string{
		"a list behind a queue grows with each dropped message":                       "conn TestSteadyOverload",
		"a failed write loses what has arrived":                                       "conn TestArrivedBeforeWriteFailure",
		"one caller's ctx is everybody's error":                                       "conn TestAbandonedWriterIsNobodysContext",
		"a read learns of the end when the stream ends":                               "conn TestEndIsToldAtOnce",
		"a call outlives its ctx":                                                     "conn TestEndObeysContexts",
		"Write returns before anything is written":                                    "conn TestWrittenWhenItReturns",
		"a slow peer counts as one without progress":                                  "conn TestSlowPeerIsNotCut",
		"a dripping peer holds a write for ever":                                      "conn TestDrippingPeerIsCut",
		"a half-close loses answers":                                                  "conn TestHalfCloseAfterClose",
		"a Pong after the Close frame":                                                "conn TestNothingAfterClose",
		"a Ping waits for a Pong that a later one has answered":                       "conn TestLatestPongAnswersAll",
		"a dead peer's error depends on the stream":                                   "conn TestDeadPeer",
		"Dial waits for a deadline that does nothing":                                 "handshake TestDialDeaf",
		"a NetConn fails with a message that is too big":                              "conn TestNetConnLargeWrite",
		"writes of a NetConn mix":                                                     "conn TestNetConnWritesMeet",
		"an error of Handle is a normal closure":                                      "conn TestServerHandleError",
		"a refusal leaves no trace":                                                   "conn TestServerOnRefuse",
		"the end of a connection of Handle leaves no trace":                           "conn TestServerOnEnd",
		"a Server without a function panics":                                          "conn TestServerInvalid",
		"FIPS mode panics after Hijack":                                               "handshake TestFIPSHandshakes",
		"a transport that wraps bodies is not told of the end":                        "handshake TestDialWrapped",
		"fields for net/http alone are answered 500":                                  "handshake TestResponseWriterHeaderAsNetHTTP",
		"an error of Dial says something else":                                        "handshake TestDialReasons",
		"protocols of the TLS settings are dropped":                                   "handshake TestDialApplicationProtocol",
		"a transport that wraps another one sends a plain GET to a proxy":             "handshake TestWrappedProxy",
		"a space in a URL ends the request's target":                                  "handshake TestDialTarget",
		"the values of a request are lost":                                            "conn TestServerContextValues",
		"wrong types of messages are refused in three ways":                           "conn TestMessageTypeText",
		"a full queue is a broken rule of the peer's":                                 "conn TestQueueFullIsNoBrokenRule",
		"a namespace is open because somebody else has named it":                      "socketio TestNamespaceComesToBe",
		"a subprotocol of a client is not answered":                                   "engineio TestSubprotocol",
		"a recovery that missed nothing fails for the age of its last event":          "socketio TestRecoveryByWhatWasMissed",
		"an event for one that is away is lost":                                       "socketio TestEmitWhileAway",
		"middleware sees a new socket, and is overwritten":                            "socketio TestRecoveryBeforeMiddleware",
		"an end that a client has caused leaves no line":                              "engineio TestOneLineForEachEnd",
		"any origin with credentials":                                                 "engineio TestWrongOptions",
		"an origin with a slash refuses its neighbors":                                "engineio TestOriginWithSlash",
		"origins of other schemes are answered 500":                                   "handshake TestOriginPatterns",
		"Shutdown waits for clients that have vanished":                               "engineio TestShutdownVanished",
		"a logger that sends stops for good":                                          "engineio TestCallbacksWithoutLocks",
		"a logger that emits stops for good":                                          "socketio TestCallbacksWithoutLocks",
		"a handler that ends its goroutine stays in its rooms":                        "socketio TestQuits",
		"a folder without the client's files is found out by clients":                 "socketio TestClientFiles",
		"a path without its slash is redirected":                                      "engineio TestRegister",
		"a GET whose answer was lost is sent again by net/http":                       "engineio TestClientGetsOnce",
		"what was sent before Close is lost to a client that moves":                   "engineio TestEndWhileMoving",
		"an application loses what has arrived when it changes goroutines at the end": "conn TestArrivedBeforeWriteFailureInReceive",
	} {
		t.Run(fault, func(t *testing.T) { wantTest(t, proof) })
	}
}
