package natsadapter

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// JetStream answers to each message that it has stored, in the order in which it has done
// so, and the connection brings these answers in their places among the events that are
// published again. That is why the reader takes them from the gate, as it does with the
// events: when the answer for a message has come, so has every event before it.

const (
	maxUnanswered = 1024            // messages of a node that wait for their answers; a server takes 10,000 of all nodes by default
	answerTime    = 4 * time.Second // in which an answer must come
)

// An answered is who wants to know what has become of a message.
type answered interface {
	// stored is called by the reader: the message has a sequence number.
	stored(sequence uint64)
	// failed is called if the message was refused, or if it is not known to be stored.
	// last is the number of the last message on the subject, if it was refused because that
	// is not what was expected. Called by any goroutine.
	failed(last uint64, unexpected bool)
}

// An answers holds what waits for answers of one stream.
type answers struct {
	prefix string // of the subjects of answers

	mu      sync.Mutex
	first   uint64 // the number of waiting[0]
	waiting []unanswered
	wanted  bool // the writer waits until there are fewer
}

type unanswered struct {
	to    answered
	since time.Time
}

// add returns the subject for the answer to the next message.
func (a *answers) add(to answered) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.first + uint64(len(a.waiting))
	a.waiting = append(a.waiting, unanswered{to, time.Now()})
	var b [96]byte
	return string(strconv.AppendUint(append(b[:0], a.prefix...), n, 36))
}

// full reports whether no more may be sent for now.
func (a *answers) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = len(a.waiting) >= maxUnanswered
	return a.wanted
}

// freed reports whether the writer waits and need not do so any more.
func (a *answers) freed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok := a.wanted && len(a.waiting) <= maxUnanswered/2
	a.wanted = a.wanted && !ok
	return ok
}

// take returns whom an answer is for, nil if that is not awaited. What was sent before a
// message that is stored has been answered, or is lost.
func (a *answers) take(n uint64, stored bool) (to answered, lost []answered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n < a.first || n >= a.first+uint64(len(a.waiting)) {
		return nil, nil
	}
	i := int(n - a.first)
	to, a.waiting[i].to = a.waiting[i].to, nil
	if stored {
		for _, w := range a.waiting[:i] {
			if w.to != nil {
				lost = append(lost, w.to)
			}
		}
		a.drop(i + 1)
	}
	return to, lost
}

// drop forgets the first n. Called with mu held.
func (a *answers) drop(n int) {
	clear(a.waiting[:n])
	a.first += uint64(n)
	if a.waiting = a.waiting[n:]; len(a.waiting) == 0 {
		a.waiting = nil
	}
}

// late returns those that have waited for longer than d, and forgets them.
func (a *answers) late(d time.Duration) (lost []answered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, now := 0, time.Now()
	for _, w := range a.waiting {
		if d > 0 && now.Sub(w.since) <= d {
			break
		}
		if n++; w.to != nil {
			lost = append(lost, w.to)
		}
	}
	a.drop(n)
	return lost
}

// fail tells those whose messages are not known to be stored.
func fail(lost []answered) {
	for _, to := range lost {
		to.failed(0, false)
	}
}

// An answer is what JetStream says about a message.
type answer struct {
	Sequence uint64 `json:"seq"`
	Error    *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// codeUnexpected is JetStream's code for a message that has come after another one than
// was expected.
const codeUnexpected = 10071

// receive takes an answer. It returns false if there is no stream that could have taken
// the message.
func (a *answers) receive(m *nats.Msg) bool {
	if len(m.Subject) <= len(a.prefix) {
		return true
	}
	n, err := strconv.ParseUint(m.Subject[len(a.prefix):], 36, 64)
	if err != nil {
		return true
	}
	sequence, last, unexpected := readAnswer(m.Data)
	to, lost := a.take(n, sequence > 0)
	fail(lost)
	if to == nil {
		return true
	}
	if sequence > 0 {
		to.stored(sequence)
		return true
	}
	to.failed(last, unexpected)
	return len(m.Data) > 0 || m.Header.Get("Status") != "503"
}

// shortAnswer returns the sequence number of an answer in the form in which nearly all come,
// 0 for another one: reading it as JSON takes a microsecond.
func shortAnswer(b []byte) (n uint64) {
	const begin, number = `{"stream":"`, `"seq":`
	at := bytes.LastIndex(b, []byte(number)) + len(number)
	if at < len(number)+len(begin) || string(b[:len(begin)]) != begin || len(b)-at > 20 || b[len(b)-1] != '}' {
		return 0
	}
	for _, c := range b[at : len(b)-1] {
		if c < '0' || c > '9' || n > 1<<62/10 {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// readAnswer reads an answer: the sequence number of the message, or 0 and whether another
// message than last was expected to be the last one of the subject.
func readAnswer(b []byte) (sequence, last uint64, unexpected bool) {
	if sequence := shortAnswer(b); sequence > 0 {
		return sequence, 0, false
	}
	var a answer
	if json.Unmarshal(b, &a) != nil {
		return 0, 0, false
	}
	if a.Error == nil {
		return a.Sequence, 0, false
	}
	const text = "wrong last sequence: "
	if a.Error.Code != codeUnexpected || len(a.Error.Description) <= len(text) {
		return 0, 0, false
	}
	last, err := strconv.ParseUint(a.Error.Description[len(text):], 10, 64)
	return 0, last, err == nil
}

// retract takes back the last one that was added, whose message was not sent. It returns false
// if that has been told already, since the connection was lost.
func (a *answers) retract() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.waiting)
	if n == 0 || a.waiting[n-1].to == nil {
		return false
	}
	a.waiting[n-1] = unanswered{}
	return true
}

// isEmpty reports whether no message waits for its answer.
func (a *answers) isEmpty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.ContainsFunc(a.waiting, func(w unanswered) bool { return w.to != nil })
}
