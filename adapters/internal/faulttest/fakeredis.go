package faulttest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// A fakeRedis answers the commands of the adapters, in memory, so that a bubble of synctest can
// have it: time costs nothing there, and the silence of a connection can be waited for.
type fakeRedis struct {
	work sync.WaitGroup

	mu      sync.Mutex
	members map[string]map[*fakeConn]bool // of channels, by their kind ("", "p" or "s"), a space and the name
	keys    map[string]string
	streams map[string][]fakeEntry
	serial  int           // of the last entry
	grown   chan struct{} // closed when there is an entry
}

// A fakeEntry is an entry of a stream: its id is its serial number, a minus sign and 0.
type fakeEntry struct {
	serial int
	fields []string
}

func newFakeRedis() *fakeRedis {
	return &fakeRedis{
		members: make(map[string]map[*fakeConn]bool), keys: make(map[string]string),
		streams: make(map[string][]fakeEntry), grown: make(chan struct{}),
	}
}

// A fakeConn is the server's end of a connection.
type fakeConn struct {
	net.Conn
	r        *fakeRedis
	channels map[string]bool // as in members; guarded by r.mu
	queue    [][]string      // after MULTI
	multi    bool
}

// dial returns the client's end of a new connection.
func (r *fakeRedis) dial() net.Conn {
	near, far := pipe.New()
	r.work.Go(func() { (&fakeConn{Conn: far, r: r, channels: make(map[string]bool)}).serve() })
	return near
}

func (c *fakeConn) serve() {
	defer c.Close()
	defer c.forget()
	in := bufio.NewReader(c)
	for {
		words, err := readCommand(in)
		if err != nil {
			return
		}
		if name := strings.ToUpper(words[0]); name == "XREAD" {
			c.awaitEntry(words)
		}
		c.r.mu.Lock()
		_, err = c.Write(c.answer(words))
		c.r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// forget ends all subscriptions.
func (c *fakeConn) forget() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for channel := range c.channels {
		delete(c.r.members[channel], c)
	}
}

// readCommand reads an array of strings.
func readCommand(in *bufio.Reader) (words []string, err error) {
	n, err := readNumber(in, '*')
	for ; n > 0 && err == nil; n-- {
		var size int
		if size, err = readNumber(in, '$'); err != nil {
			break
		}
		b := make([]byte, size+2)
		_, err = io.ReadFull(in, b)
		words = append(words, string(b[:size]))
	}
	if err == nil && len(words) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return words, err
}

func readNumber(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("a line that begins with %q", line[0])
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// Replies.
const (
	replyOK  = "+OK\r\n"
	replyNil = "$-1\r\n"
)

func bulk(s string) string       { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
func integer(n int) string       { return fmt.Sprintf(":%d\r\n", n) }
func array(all ...string) string { return fmt.Sprintf("*%d\r\n%s", len(all), strings.Join(all, "")) }

func bulks(all []string) string {
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = bulk(s)
	}
	return array(list...)
}

// commands are what is known. They are called with mu held.
var commands = map[string]func(c *fakeConn, words []string) string{
	"CLIENT":       func(*fakeConn, []string) string { return replyOK },
	"EVAL":         (*fakeConn).eval,
	"HELLO":        func(*fakeConn, []string) string { return bulks([]string{"server", "redis", "proto", "2"}) },
	"PING":         (*fakeConn).ping,
	"PUBLISH":      func(c *fakeConn, w []string) string { return integer(c.r.publish("", "message", w[1], w[2])) },
	"SPUBLISH":     func(c *fakeConn, w []string) string { return integer(c.r.publish("s", "smessage", w[1], w[2])) },
	"PUBSUB":       (*fakeConn).count,
	"SUBSCRIBE":    func(c *fakeConn, w []string) string { return c.subscribe("", w, true) },
	"PSUBSCRIBE":   func(c *fakeConn, w []string) string { return c.subscribe("p", w, true) },
	"SSUBSCRIBE":   func(c *fakeConn, w []string) string { return c.subscribe("s", w, true) },
	"UNSUBSCRIBE":  func(c *fakeConn, w []string) string { return c.subscribe("", w, false) },
	"PUNSUBSCRIBE": func(c *fakeConn, w []string) string { return c.subscribe("p", w, false) },
	"SUNSUBSCRIBE": func(c *fakeConn, w []string) string { return c.subscribe("s", w, false) },
	"SET":          func(c *fakeConn, w []string) string { c.r.keys[w[1]] = w[2]; return replyOK },
	"GET":          (*fakeConn).get,
	"GETRANGE":     func(c *fakeConn, w []string) string { return bulk(c.r.keys[w[1]]) },
	"DEL":          func(c *fakeConn, w []string) string { return integer(c.r.remove(w[1])) },
	"XADD":         (*fakeConn).add,
	"XLEN":         func(c *fakeConn, w []string) string { return integer(len(c.r.streams[w[1]])) },
	"XRANGE":       func(c *fakeConn, w []string) string { return entries(c.r.between(w[1], w[2], w[3], limit(w))) },
	"XREVRANGE":    (*fakeConn).latest,
	"XREAD":        (*fakeConn).readOn,
}

// answer does a command and returns the reply.
func (c *fakeConn) answer(words []string) []byte {
	name := strings.ToUpper(words[0])
	switch {
	case name == "MULTI":
		c.multi = true
		return []byte(replyOK)
	case name == "EXEC":
		var all []string
		for _, words := range c.queue {
			all = append(all, string(c.do(words)))
		}
		c.multi, c.queue = false, nil
		return []byte(array(all...))
	case c.multi:
		c.queue = append(c.queue, words)
		return []byte("+QUEUED\r\n")
	}
	return []byte(c.do(words))
}

func (c *fakeConn) do(words []string) string {
	if f := commands[strings.ToUpper(words[0])]; f != nil {
		return f(c, words)
	}
	return "-ERR unknown command '" + words[0] + "'\r\n"
}

func (c *fakeConn) ping(words []string) string {
	switch {
	case len(c.channels) > 0:
		return bulks(append([]string{"pong"}, append(words[1:], "")[0]))
	case len(words) > 1:
		return bulk(words[1])
	}
	return "+PONG\r\n"
}

// subscribe begins or ends subscriptions.
func (c *fakeConn) subscribe(kind string, words []string, on bool) string {
	var replies strings.Builder
	for _, name := range words[1:] {
		channel := kind + " " + name
		if on {
			if c.r.members[channel] == nil {
				c.r.members[channel] = make(map[*fakeConn]bool)
			}
			c.channels[channel], c.r.members[channel][c] = true, true
		} else {
			delete(c.channels, channel)
			delete(c.r.members[channel], c)
		}
		replies.WriteString(array(bulk(strings.ToLower(words[0])), bulk(name), integer(len(c.channels))))
	}
	return replies.String()
}

// publish sends a message to those who have subscribed, and returns how many these are. A
// pattern is a beginning and an asterisk.
func (r *fakeRedis) publish(kind, what, channel, payload string) (n int) {
	for c := range r.members[kind+" "+channel] {
		c.Write([]byte(bulks([]string{what, channel, payload})))
		n++
	}
	for pattern, members := range r.members {
		pattern, ok := strings.CutPrefix(pattern, "p ")
		if !ok || kind != "" || !strings.HasPrefix(channel, strings.TrimSuffix(pattern, "*")) {
			continue
		}
		for c := range members {
			c.Write([]byte(bulks([]string{"pmessage", pattern, channel, payload})))
			n++
		}
	}
	return n
}

// count is PUBSUB NUMSUB and PUBSUB SHARDNUMSUB.
func (c *fakeConn) count(words []string) string {
	kind := map[string]string{"NUMSUB": "", "SHARDNUMSUB": "s"}[strings.ToUpper(words[1])]
	var all []string
	for _, name := range words[2:] {
		all = append(all, bulk(name), integer(len(c.r.members[kind+" "+name])))
	}
	return array(all...)
}

func (c *fakeConn) get(words []string) string {
	if value, ok := c.r.keys[words[1]]; ok {
		return bulk(value)
	}
	return replyNil
}

func (r *fakeRedis) remove(key string) int {
	_, ok := r.keys[key]
	delete(r.keys, key)
	return map[bool]int{true: 1}[ok]
}

// eval does what the scripts of package redisstreams do, which it knows by a part of each.
func (c *fakeConn) eval(words []string) string {
	script, key, args := words[1], words[3], words[4:]
	value := c.r.keys[key]
	stamp := value[min(4, len(value)):min(24, len(value))]
	switch {
	case strings.Contains(script, "'DEL'"):
		if stamp == args[0] {
			c.r.remove(key)
		}
	case strings.Contains(script, "ARGV[4]"):
		if stamp != args[0] && (stamp != "" || args[3] == "1") {
			return integer(0)
		}
		c.r.keys[key] = args[1]
	default:
		if value != args[0] {
			return integer(0)
		}
		c.r.keys[key] = args[1]
	}
	return integer(1)
}

func (c *fakeConn) add(words []string) string {
	fields := words[2:]
	for fields[0] != "*" {
		fields = fields[1:]
	}
	r := c.r
	r.serial++
	r.streams[words[1]] = append(r.streams[words[1]], fakeEntry{r.serial, fields[1:]})
	close(r.grown)
	r.grown = make(chan struct{})
	return bulk(fmt.Sprintf("%d-0", r.serial))
}

// between returns the entries from one id to another.
func (r *fakeRedis) between(stream, from, to string, limit int) (list []fakeEntry) {
	for _, e := range r.streams[stream] {
		if e.serial >= serial(from) && (to == "+" || e.serial <= serial(to)) && len(list) < limit {
			list = append(list, e)
		}
	}
	return list
}

// serial returns the number of an id; that of "-" is 0.
func serial(id string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(id, "-0"))
	return n
}

// limit returns what COUNT says.
func limit(words []string) int {
	for i, word := range words {
		if strings.EqualFold(word, "COUNT") {
			return serial(words[i+1])
		}
	}
	return 1 << 30
}

func entries(list []fakeEntry) string {
	all := make([]string, len(list))
	for i, e := range list {
		all[i] = array(bulk(fmt.Sprintf("%d-0", e.serial)), bulks(e.fields))
	}
	return array(all...)
}

func (c *fakeConn) latest(words []string) string {
	list := c.r.streams[words[1]]
	return entries(list[max(len(list)-1, 0):])
}

// awaitEntry waits until XREAD has something to answer, or its time is up.
func (c *fakeConn) awaitEntry(words []string) {
	for i, word := range words {
		if !strings.EqualFold(word, "BLOCK") {
			continue
		}
		timer := time.NewTimer(time.Duration(serial(words[i+1])) * time.Millisecond)
		defer timer.Stop()
		for {
			c.r.mu.Lock()
			grown, some := c.r.grown, len(c.r.after(words)) > 0
			c.r.mu.Unlock()
			if some {
				return
			}
			select {
			case <-grown:
			case <-timer.C:
				return
			}
		}
	}
}

// after returns the entries that XREAD asks for.
func (r *fakeRedis) after(words []string) []fakeEntry {
	id := serial(words[len(words)-1]) + 1
	return r.between(words[len(words)-2], strconv.Itoa(id), "+", limit(words))
}

func (c *fakeConn) readOn(words []string) string {
	list := c.r.after(words)
	if len(list) == 0 {
		return "*-1\r\n"
	}
	return array(array(bulk(words[len(words)-2]), entries(list)))
}
