package socketio

// need panics unless ok: the caller has made a mistake that would show much
// later, on another goroutine.
func need(ok bool, mistake string) {
	if !ok {
		panic("socketio: " + mistake)
	}
}
