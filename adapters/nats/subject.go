package natsadapter

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The subjects, below Options.Prefix. NAME and ROOM are tokens, UID and LINK are names as
// they are.
//
//	PREFIX.ns.NAME.all         messages for all nodes that have the namespace
//	PREFIX.ns.NAME.room.ROOM   events for a room; heard only by nodes where it has a member
//	PREFIX.ns.NAME.node.UID    answers for a node
//	PREFIX.links               heartbeats of all nodes: LINK, or LINK! if events of it are missing
//	PREFIX.link.LINK.FROM      asks, by being published, whether the node LINK is there
//	PREFIX.gone.FROM.LINK      where the server says that LINK is not there
//
// With Options.JetStream also:
//
//	PREFIX.log.NAME...         what JetStream stores, and publishes again on PREFIX.ns.NAME...
//	PREFIX.log.NAME.mark       a mark in the stream
//	PREFIX.log.NAME.hole       says that events are missing in the stream
//	PREFIX.session.NAME.PID    the session of a client
//	PREFIX.answer.LINK.WHAT.N  JetStream's answer to message N that LINK has sent
type subjects struct{ prefix string }

func (s subjects) links() string                 { return s.prefix + ".links" }
func (s subjects) link(link string) string       { return s.prefix + ".link." + link }
func (s subjects) gone(from, link string) string { return s.prefix + ".gone." + from + "." + link }

func (s subjects) all(namespace string) string {
	return s.prefix + ".ns." + token(namespace) + ".all"
}

// rooms returns what the subjects of a namespace's rooms begin with.
func (s subjects) rooms(namespace string) string {
	return s.prefix + ".ns." + token(namespace) + ".room."
}

// nodes returns what the subjects of a namespace's nodes begin with.
func (s subjects) nodes(namespace string) string {
	return s.prefix + ".ns." + token(namespace) + ".node."
}

func (s subjects) namespaces() string { return s.prefix + ".ns.>" }
func (s subjects) logged() string     { return s.prefix + ".log.>" }
func (s subjects) sessions() string   { return s.prefix + ".session.>" }

// log returns what the subjects of a namespace begin with that JetStream stores.
func (s subjects) log(namespace string) string { return s.prefix + ".log." + token(namespace) + "." }

// hole returns the subject on which JetStream publishes again that events are missing.
func (s subjects) hole(namespace string) string {
	return s.prefix + ".ns." + token(namespace) + "." + holeToken
}

// session returns what the subjects of a namespace's sessions begin with.
func (s subjects) session(namespace string) string {
	return s.prefix + ".session." + token(namespace) + "."
}

// answers returns what the subjects begin with on which JetStream answers.
func (s subjects) answers(link, what string) string {
	return s.prefix + ".answer." + link + "." + what + "."
}

// validPrefix reports whether p is one or more tokens that a subject may begin with.
func validPrefix(p string) bool {
	for t := range strings.SplitSeq(p, ".") {
		if t == "" || t != token(t) {
			return false
		}
	}
	return true
}

// maxToken is how long a token may be, in bytes. NATS servers refuse subjects of more
// than 4,096 bytes by default, and keep each that is subscribed to.
const maxToken = 128

// token returns a name as one token of a subject. Bytes that a token can't have, or that
// mean something in it, are escaped as in URLs. A long name is replaced by its hash: were
// the hashes of two rooms the same, the nodes of both would get the events of both, and
// each still deliver what the message itself says.
func token(name string) string {
	escaped := 0
	for i := range len(name) {
		if !plain(name[i]) {
			escaped++
		}
	}
	switch n := len(name) + 2*escaped; {
	case n == 0:
		return "%"
	case n > maxToken:
		sum := sha256.Sum256([]byte(name))
		return "~" + hex.EncodeToString(sum[:16])
	case escaped == 0:
		return name
	}
	b := make([]byte, 0, len(name)+2*escaped)
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&0xF])
		}
	}
	return string(b)
}

const hexDigits = "0123456789ABCDEF"

// plain reports whether a byte stands for itself in a token.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '/' || c == ':' || c == '@' || c == '=' || c == '+' || c == ','
}
