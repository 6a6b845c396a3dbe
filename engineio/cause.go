package engineio

import (
	"context"
	"errors"
	"log/slog"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/frame"
)

// A cause says why a session has ended: to the receiver by its reason, and to the
// log by err. Every end that the client has caused is one line there.
type cause struct {
	reason Reason
	level  slog.Level
	err    error               // what the client did; nil: nothing is logged
	limit  func(*Limits) int64 // the limit that was exceeded; nil: none was
}

// The ends that the server has caused. A panic has a line of its own in the log.
var (
	closedHere    = &cause{reason: ForcedClose}
	closedBetween = &cause{reason: ForcedServerClose} // while no GET waited
	shutDown      = &cause{reason: ServerShuttingDown}
	panicked      = &cause{reason: TransportError}
)

// The ends that the client has caused. Those that belong to the ordinary life of
// a client are logged at the level Debug, broken rules and exceeded limits at
// Info, and a client that does not keep up at Warn.
var (
	clientClosed = ordinary(TransportClose, errors.New("closed by the client"))
	getCut       = ordinary(TransportError, errors.New("GET was cut by the client"))
	answerLost   = ordinary(TransportError, errors.New("answer to a GET could not be written"))
	postCut      = ordinary(TransportError, errors.New("body of a POST was cut by the client, or did not arrive in time"))

	twoGETs    = violation(TransportError, errors.New("second GET at a time"))
	twoPOSTs   = violation(TransportError, errors.New("second POST at a time"))
	binaryPOST = violation(TransportError, errors.New("POST of application/octet-stream"))
	notUTF8    = violation(ParseError, errors.New("body of a POST is not UTF-8"))

	longBody = &cause{TransportError, slog.LevelInfo, errors.New("body of a POST exceeds Limits.MaxPayload"), maxPayload}
	lagging  = &cause{TransportError, slog.LevelWarn, errors.New("Limits.QueueBytes exceeded"), queueBytes}
)

// By the packet of the heartbeat: it did not come in time; it came, but is the
// server's to send.
var (
	silent = [...]*cause{
		packet.Ping: ordinary(PingTimeout, errors.New("no ping within Limits.PingInterval and Limits.PingTimeout")),
		packet.Pong: ordinary(PingTimeout, errors.New("no pong within Limits.PingTimeout")),
	}
	misdirected = [packet.Noop + 1]*cause{
		packet.Ping: violation(TransportError, errors.New("ping from the client")),
		packet.Pong: violation(TransportError, errors.New("pong from the client")),
	}
)

func maxPayload(l *Limits) int64 { return l.MaxPayload }
func queueBytes(l *Limits) int64 { return int64(l.QueueBytes) }

func ordinary(reason Reason, err error) *cause {
	return &cause{reason: reason, level: slog.LevelDebug, err: err}
}
func violation(reason Reason, err error) *cause {
	return &cause{reason: reason, level: slog.LevelInfo, err: err}
}

// lossOf returns the cause of the end of a session whose WebSocket ended with
// err.
func lossOf(err error) *cause {
	e, ok := errors.AsType[*frame.Error](err)
	switch {
	case errors.Is(err, conn.ErrQueueFull):
		return lagging
	case !ok:
		return ordinary(TransportClose, err)
	case e.Code == frame.StatusMessageTooBig:
		return &cause{TransportError, slog.LevelInfo, err, maxPayload}
	}
	return violation(TransportError, err)
}

// closeCode returns the status code of the Close frame. Clients don't look at it.
func (c *cause) closeCode() frame.StatusCode {
	switch c.reason {
	case ParseError, TransportError:
		return frame.StatusPolicyViolation
	case ServerShuttingDown:
		return frame.StatusGoingAway
	}
	return frame.StatusNormalClosure
}

// log writes the line about the end of s. Called without any lock.
func (c *cause) log(s *Session) {
	o := s.server.o
	if c.err == nil || !o.Logger.Enabled(context.Background(), c.level) {
		return
	}
	attrs := []slog.Attr{slog.String("reason", c.reason.String()), slog.Any("error", c.err)}
	if c.limit != nil {
		attrs = append(attrs, slog.Int64("limit", c.limit(&o.Limits)))
	}
	attrs = append(attrs, slog.String("session", shortID(s.ID())), slog.String("transport", s.Transport()),
		slog.String("address", s.Handshake().RemoteAddr))
	o.Logger.LogAttrs(context.Background(), c.level, "engine.io: session closed", attrs...)
}

// shortID returns the start of a session's id, enough to find its lines in a log.
// The whole of it would let whoever reads the log take over a session.
func shortID(id string) string {
	const shown = 6
	if len(id) < 3*shown {
		return "?"
	}
	return id[:shown] + "..."
}
