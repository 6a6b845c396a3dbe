package loop

// A Worker is a goroutine of a Loop. Its methods are for the Reader that it serves.
type Worker struct {
	works []Work // to be done when it has let go of the socket
	done  int    // of these
}

// A Work is something that may take long, or block.
type Work interface{ Run() }

// Later has x done by the worker itself as soon as the Reader has returned: the socket can be
// read by others meanwhile. That costs less than a goroutine.
func (w *Worker) Later(x Work) { w.works = append(w.works, x) }

// Hurry has all of that done by other goroutines at once, because the caller is about to wait
// for it.
func (w *Worker) Hurry() {
	for _, x := range w.works[w.done:] {
		go x.Run()
	}
	clear(w.works)
	w.works, w.done = w.works[:0], 0
}

// do does what is to be done later.
func (w *Worker) do() {
	for w.done < len(w.works) {
		x := w.works[w.done]
		w.done++
		x.Run()
	}
	clear(w.works)
	w.works, w.done = w.works[:0], 0
}
