package redislink

import (
	"bufio"
	"errors"
	"io"
	"strconv"
)

// AppendCommand appends the head of a command of so many words, which follow.
func AppendCommand(b []byte, words int) []byte {
	return append(strconv.AppendInt(append(b, '*'), int64(words), 10), "\r\n"...)
}

// AppendWord appends a word of a command.
func AppendWord[T string | []byte](b []byte, word T) []byte {
	b = append(strconv.AppendInt(append(b, '$'), int64(len(word)), 10), "\r\n"...)
	return append(append(b, word...), "\r\n"...)
}

// AppendPublish appends the command that publishes payload on the channel whose name the
// parts make together.
func AppendPublish(b, payload []byte, parts ...string) []byte {
	return appendPublish(append(b, "*3\r\n$7\r\nPUBLISH\r\n$"...), payload, parts)
}

// appendPublish appends what follows the first word.
func appendPublish(b, payload []byte, parts []string) []byte {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	b = append(strconv.AppendInt(b, int64(size), 10), "\r\n"...)
	for _, part := range parts {
		b = append(b, part...)
	}
	return AppendWord(append(b, "\r\n"...), payload)
}

// unsent returns the part of commands that begins with the first command of which
// nothing is in commands[:sent], and how many commands precede it.
func unsent(commands []byte, sent int) (rest []byte, before int) {
	b := commands
	for len(b) > 0 && len(commands)-len(b) < sent {
		words, n := head(b)
		b = b[n:]
		for range words {
			size, n := head(b)
			b = b[n+size+2:]
		}
		before++
	}
	return b, before
}

// head reads the head of a command or word, which AppendCommand has written: its number
// and its size in bytes.
func head(b []byte) (number, size int) {
	for i, c := range b[1:] {
		if c == '\r' {
			return number, i + 3
		}
		number = 10*number + int(c-'0')
	}
	return number, len(b)
}

// Errors of a stream that is not RESP, or not one that these commands can have.
var (
	errRESP    = errors.New("redis: unexpected reply")
	errStalled = errors.New("redis: no answer for 15 seconds")
	errTooLong = errors.New("redis: reply is too long")
)

// maxLine is how long a line of a reply may be, in bytes: an error, a number, or the
// length of something.
const maxLine = 4096

// A replies reads what the server sends.
type replies struct {
	r   *bufio.Reader
	big []byte // for what does not fit r
}

func newReplies(r io.Reader, size int) *replies { return &replies{r: bufio.NewReaderSize(r, size)} }

// line reads a line without its end: a view that is valid until the next call.
func (r *replies) line() ([]byte, error) {
	line, err := r.r.ReadSlice('\n')
	switch {
	case err != nil && len(line) > maxLine:
		return nil, errTooLong
	case err != nil:
		return nil, err
	case len(line) < 3 || line[len(line)-2] != '\r':
		return nil, errRESP
	case len(line) > maxLine:
		return nil, errTooLong
	}
	return line[:len(line)-2], nil
}

// number reads the number of a line after its first byte.
func number(line []byte) (int, error) {
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil {
		return 0, errRESP
	}
	return n, nil
}

// bulk reads the head of a bulk string and returns its length.
func (r *replies) bulk(limit int) (int, error) {
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	n, err := number(line)
	switch {
	case err != nil || line[0] != '$' || n < 0:
		return 0, errRESP
	case n > limit:
		return n, errTooLong
	}
	return n, nil
}

// word appends a bulk string of at most limit bytes to b.
func (r *replies) word(b []byte, limit int) ([]byte, error) {
	n, err := r.bulk(limit)
	if err != nil {
		return b, err
	}
	at := len(b)
	b = append(b, make([]byte, n+2)...)
	if _, err := io.ReadFull(r.r, b[at:]); err != nil {
		return b[:at], err
	}
	return b[:at+n], nil
}

// keptBuffer is the largest buffer that is kept, in bytes.
const keptBuffer = 1 << 20

// payload reads a bulk string of n bytes, whose head has been read, and hands it to f,
// which must not keep it.
func (r *replies) payload(n int, f func([]byte)) error {
	if n+2 <= r.r.Size() {
		view, err := r.r.Peek(n + 2)
		if err != nil {
			return err
		}
		f(view[:n])
		_, err = r.r.Discard(n + 2)
		return err
	}
	if cap(r.big) < n+2 {
		r.big = make([]byte, n+2)
	}
	big := r.big[:n+2]
	if cap(big) > keptBuffer {
		r.big = nil
	}
	if _, err := io.ReadFull(r.r, big); err != nil {
		return err
	}
	f(big[:n])
	return nil
}
