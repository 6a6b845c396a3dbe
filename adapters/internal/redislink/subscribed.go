package redislink

import (
	"errors"
	"io"
)

// read reads what comes until the connection ends (Redis protocol specification,
// "Pub/sub"): arrays, each of which begins with what it is.
func (s *Subscriber) read(in io.Reader) error {
	flush := s.o.Handler.Flush
	defer flush()
	r := newReplies(&watched{in, flush}, 64<<10)
	m := incoming{s: s, r: r}
	for {
		line, err := r.line()
		if err != nil {
			return err
		}
		s.heard.Store(true)
		switch line[0] {
		case '*', '>':
			n, err := number(line)
			if err != nil {
				return err
			}
			if err := m.read(n); err != nil {
				return err
			}
		case '$': // the answer to PING while nothing is subscribed to
			n, err := number(line)
			if err != nil || n < 0 || n > maxLine {
				return errRESP
			}
			if err := r.payload(n, s.pong); err != nil {
				return err
			}
		case '-':
			if elsewhere(line) {
				return errElsewhere
			}
			return errors.New("redis: the broker refuses a subscription: " + string(line[1:]))
		default:
			return errRESP
		}
	}
}

// maxName is how long the name of a channel may be, in bytes: it holds that of a room.
const maxName = 1 << 20

// incoming is what is being read. Its buffers are used again.
type incoming struct {
	s                      *Subscriber
	r                      *replies
	what, pattern, channel []byte
}

// read reads an array of n, after its head.
func (m *incoming) read(n int) (err error) {
	if m.what, err = m.r.word(m.what[:0], maxLine); err != nil {
		return err
	}
	switch what := string(m.what); {
	case n == 3 && (what == "message" || what == "smessage"):
		m.pattern = m.pattern[:0]
		return m.message()
	case what == "pmessage" && n == 4:
		if m.pattern, err = m.r.word(m.pattern[:0], maxName); err != nil {
			return err
		}
		return m.message()
	case what == "pong" && n == 2:
		name, err := m.r.bulk(maxLine)
		if err != nil {
			return err
		}
		return m.r.payload(name, m.s.pong)
	case n == 3 && (what == "subscribe" || what == "unsubscribe" || what == "psubscribe" || what == "punsubscribe" ||
		what == "ssubscribe" || what == "sunsubscribe"):
		if m.channel, err = m.r.word(m.channel[:0], maxName); err != nil {
			return err
		}
		if _, err = m.r.line(); err == nil && what == "sunsubscribe" && !m.s.left(m.channel) { // how many there are
			err = errElsewhere
		}
		return err
	}
	return errRESP
}

// message reads the channel and the payload.
func (m *incoming) message() (err error) {
	if m.channel, err = m.r.word(m.channel[:0], maxName); err != nil {
		return err
	}
	h := m.s.o.Handler
	n, err := m.r.bulk(m.s.o.MaxMessage)
	if err == errTooLong {
		h.Refused(m.channel, n)
		_, err = m.r.r.Discard(n + 2)
		return err
	}
	if err != nil {
		return err
	}
	return m.r.payload(n, func(payload []byte) {
		h.More(m.r.r.Buffered() > n+2)
		h.Message(m.pattern, m.channel, payload)
	})
}
