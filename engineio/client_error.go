package engineio

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"

	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/handshake"
)

// A ProtocolError says which rule of the protocol the server broke. Its text holds at
// most some 200 bytes of what the server sent.
type ProtocolError = packet.Error

// A ResponseError is a response of a server, or of a proxy in between, that is none of
// Engine.IO, or refuses the request.
type ResponseError struct {
	// Method is that of the request, GET or POST.
	Method string
	// Status is the HTTP status code of the response.
	Status int
	// Reason says what is wrong with the response.
	Reason string
	// Refusal is the refusal of an Engine.IO server; nil: the response holds none.
	// errors.AsType finds it too.
	Refusal *Refusal
	// Body is the start of the response's body, at most 1 KiB.
	Body []byte

	err error // what else it wraps; nil: nothing
}

// Error returns the method, the status and the reason. It leaves out the body, which
// is the peer's.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("engine.io: %s answered %d %s: %s", e.Method, e.Status, http.StatusText(e.Status), e.Reason)
}

// Unwrap returns the Refusal, and the *handshake.DialError of a WebSocket, if there is
// one.
func (e *ResponseError) Unwrap() (errs []error) {
	if e.Refusal != nil {
		errs = append(errs, e.Refusal)
	}
	if e.err != nil {
		errs = append(errs, e.err)
	}
	return errs
}

// excerptBytes is how much of a response an error keeps.
const excerptBytes = 1 << 10

// responseError returns the error about a response of which body is the start.
func responseError(method string, status int, body []byte, reason string) *ResponseError {
	e := &ResponseError{Method: method, Status: status, Reason: reason, Body: body[:min(len(body), excerptBytes)]}
	var r struct {
		Code    *int
		Message *string
	}
	if json.Unmarshal(e.Body, &r) == nil && r.Code != nil && r.Message != nil {
		e.Refusal = &Refusal{Status: status, Code: *r.Code, Message: *r.Message}
		e.Reason = "the server refuses: " + strconv.Quote(clip(*r.Message))
	}
	return e
}

// notPackets returns the error about the body of a response that holds no packets, for
// the reason err.
func notPackets(body []byte, err error) error {
	e := responseError(http.MethodGet, http.StatusOK, body, "the body is not that of an Engine.IO server: "+err.Error())
	e.err = err
	return e
}

// refusedUpgrade returns the error of a WebSocket that could not be dialed, with the
// response if there was one.
func refusedUpgrade(err error) error {
	d, ok := errors.AsType[*handshake.DialError](err)
	if !ok {
		return err
	}
	e := responseError(http.MethodGet, d.Status, d.Body, d.Reason)
	e.err = d
	return e
}

// An EndError says why the session of a Client has ended; Client.Err returns it.
type EndError struct {
	// Reason is what Receiver.Closed was told.
	Reason Reason
	// Err says what happened: ErrClosed after Client.Close, ErrQueueFull; a
	// *ProtocolError or a *frame.Error if the server broke a rule; a *ResponseError for
	// a response that is none of Engine.IO; a *conn.CloseError if the server closed the
	// WebSocket; or an error of the net.
	Err error
}

// Error returns the reason and what happened.
func (e *EndError) Error() string {
	return "engine.io: session ended: " + e.Reason.String() + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *EndError) Unwrap() error { return e.Err }

// ErrTooLarge is what Client.Send returns for a message that is larger than the server
// takes. Nothing is sent then, and the session goes on.
var ErrTooLarge = errors.New("engine.io: message exceeds the server's maxPayload")

// The ends of a Client's session that need no details.
var (
	leftHere     = &cause{reason: ForcedClose, err: ErrClosed}
	queueOverrun = &cause{reason: TransportError, err: ErrQueueFull}
	badReceiver  = &cause{reason: TransportError, err: errors.New("Receiver.Message has panicked, or ended its goroutine")}
	serverClosed = &cause{reason: TransportClose, err: errors.New("closed by the server")}
	serverSilent = &cause{reason: PingTimeout, err: fmt.Errorf("no ping within the server's pingInterval and pingTimeout: %w", os.ErrDeadlineExceeded)}
)

// By the packet: what the server may not send in an open session.
var unexpected = [...]*cause{
	packet.Open:    violation(TransportError, broken("second open packet")),
	packet.Pong:    violation(TransportError, broken("pong from the server")),
	packet.Upgrade: violation(TransportError, broken("upgrade packet from the server")),
}

// The times that a request or a handshake may take. An error that wraps one is
// os.ErrDeadlineExceeded.
var (
	errOpenTime = fmt.Errorf("no session within Limits.OpenTimeout: %w", os.ErrDeadlineExceeded)
	errPostTime = fmt.Errorf("no answer within the server's pingInterval and pingTimeout: %w", os.ErrDeadlineExceeded)
)

// failed returns the cause of an end by a request that failed.
func failed(err error) *cause {
	return &cause{reason: TransportError, level: slog.LevelDebug, err: err}
}
