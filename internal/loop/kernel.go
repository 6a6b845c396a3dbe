package loop

import "net"

// A Kernel has the sockets of one Loop, by their descriptors, and tells when they can be
// read and written. Read, Write, CloseWrite and Control are called from several
// goroutines, Wait from one at a time, and so is Look, which another one may call meanwhile.
type Kernel interface {
	// Take takes over a stream, which must not be used any more, and returns its
	// descriptor. It returns false, and has done nothing, if it can't.
	Take(nc net.Conn) (fd int32, ok bool)
	// Watch makes Wait tell of fd from now on, under a number that no other
	// socket of the Loop has.
	Watch(fd, number int32) error
	// Wait waits until there is something to tell, and returns how many events
	// that is. Each change is told once. After End it returns 0 at once.
	Wait(events []Event) int
	// Look is Wait that never waits: it returns 0 if there is nothing to tell.
	Look(events []Event) int
	// Read reads into p, which is not empty, what there is. It never waits: where
	// there is nothing the error is ErrAgain. The end of the stream is 0 and no error.
	Read(fd int32, p []byte) (int, error)
	// Write writes of p what goes without waiting. Where that is nothing the error
	// is ErrAgain. After any error nothing of p was written.
	Write(fd int32, p []byte) (int, error)
	// CloseWrite ends our direction of the stream.
	CloseWrite(fd int32) error
	// Control calls f with the descriptor as the operating system knows it, if it does.
	Control(fd int32, f func(fd uintptr)) error
	// Close closes the stream. Wait may still return what it was told of before.
	Close(fd int32)
	// End makes Wait return, for good.
	End()
}

// An Event says what has happened to a socket.
type Event struct {
	Descriptor int32
	Number     int32
	Kind       Kind
}

// A Kind is a set of what may happen to a socket.
type Kind uint32

const (
	Readable Kind = 1 << iota // bytes have come
	Writable                  // there is room for bytes, where there was none
	Ended                     // no more bytes come, or the stream has failed
)

// A notReady is the error of a call that would have to wait.
type notReady struct{}

func (notReady) Error() string { return "not ready" }

// ErrAgain says that a call would have to wait.
var ErrAgain error = notReady{}

// NewKernel makes the Kernel of a Loop, for streams such as nc, and returns nil where
// there is none for them. Tests replace it.
var NewKernel = newKernel
