package redislink

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/redis/go-redis/v9"
)

// DialKey is Dial to the server that has a key.
func DialKey(ctx context.Context, client redis.UniversalClient, key string) (net.Conn, error) {
	c, ok := client.(*redis.ClusterClient)
	if !ok {
		return Dial(ctx, client)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	node, err := c.MasterForKey(ctx, key)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, node.Options())
	if err != nil {
		c.ReloadState(ctx)
	}
	return conn, err
}

// Moved tells a client that a key is not where DialKey has looked for it.
func Moved(ctx context.Context, client redis.UniversalClient) {
	if c, ok := client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}

// An Answer is an error that Redis has answered.
type Answer string

func (a Answer) Error() string { return "redis: " + string(a) }

// Answers reads the answers to commands one part after the other (Redis protocol
// specification, version 2). It is used by one goroutine at a time.
type Answers struct{ r *replies }

// NewAnswers returns the Answers of a connection. before is called before each read of it,
// which may wait.
func NewAnswers(conn net.Conn, before func()) *Answers {
	return &Answers{newReplies(&watched{conn, before}, 64<<10)}
}

// A watched reader says when it is about to read.
type watched struct {
	io.Reader
	before func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.before()
	return w.Reader.Read(p)
}

// Array reads the head of an array, whose elements follow. n is -1 for nil. An error that
// Redis has answered is an Answer.
func (a *Answers) Array() (n int, err error) {
	line, err := a.r.line()
	if err != nil {
		return 0, err
	}
	if line[0] == '-' {
		return 0, Answer(line[1:])
	}
	n, err = number(line)
	if err != nil || line[0] != '*' || n < -1 {
		return 0, errRESP
	}
	return n, nil
}

// Word reads a string of at most limit bytes, which it appends to b.
func (a *Answers) Word(b []byte, limit int) ([]byte, error) { return a.r.word(b, limit) }

// errElsewhere is the error of a connection to a server that does not take what is
// published, or does not have a channel: another one does.
var errElsewhere = errors.New("redis: it is another server that is in charge")

// elsewhere reports whether an answer, which is an error, says that.
func elsewhere(answer []byte) bool {
	for _, word := range [...]string{"-MOVED ", "-ASK ", "-READONLY ", "-CLUSTERDOWN ", "-LOADING ", "-MASTERDOWN "} {
		if len(answer) > len(word) && string(answer[:len(word)]) == word {
			return true
		}
	}
	return false
}

// WordOrSkip is Word for a string that may be longer than limit: then it is skipped, and
// ok is false.
func (a *Answers) WordOrSkip(b []byte, limit int) (word []byte, ok bool, err error) {
	n, err := a.r.bulk(limit)
	if err == errTooLong && n > limit {
		_, err = a.r.r.Discard(n + 2)
		return b, false, err
	}
	if err != nil {
		return b, false, err
	}
	at := len(b)
	b = append(b, make([]byte, n+2)...)
	if _, err := io.ReadFull(a.r.r, b[at:]); err != nil {
		return b[:at], false, err
	}
	return b[:at+n], true, nil
}
