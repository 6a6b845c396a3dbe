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
package bench
