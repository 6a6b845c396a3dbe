// Package bench measures Parley beside other WebSocket libraries: the same
// work, in one run, each used as its own documentation recommends for speed.
//
// The benchmarks here need nothing but memory; their names begin with the id
// of the row that they fill in the report:
//
//	go test -bench . -count 10
//
// The report runs them and the loads over loopback, interleaved, and writes
// REPORT.md and its charts:
//
//	go run ./report
//	go run ./report -quick            # sees that everything works: ./check bench
//	go run ./report -profiles DIR     # also profiles our servers
//	go run ./report -against DIR      # instead, compares with another checkout of Parley
//
// Its parts: servers holds a small program for each library, load the load
// generator, proc how the report talks to both, and report what is measured,
// the goals (rows.go) and the drawing.
package bench
