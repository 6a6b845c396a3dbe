// Package bench compares Parley with other WebSocket libraries. All do the same
// work in one run, and each is used as its own documentation recommends for
// speed.
//
// The benchmarks in this directory run in memory. Their names begin with the id
// of the row of the report for which they measure:
//
//	go test -bench . -count 10
//
// The report runs them, and the loads over loopback, in turns. It writes
// REPORT.md and its charts:
//
//	go run ./report
//	go run ./report -quick            # checks that everything works: ./check bench
//	go run ./report -profiles DIR     # also profiles our servers
//	go run ./report -against DIR      # instead, compares with another checkout of Parley
//	go run ./report -only N -o DIR    # the rows for many nodes alone, which need redis-server
//	go run ./report -only CH -o DIR   # the event loop beside goroutines: few and many connections, handlers that block
//	go run ./report -uwebsockets DIR  # also measures uWebSockets, from its checkout
//
// Another command holds thousands of connections for a long time, kills some of them each second,
// and checks that nothing is lost or left behind:
//
//	go run ./soak
//
// The directory servers holds a small program for each library (that of the adapters, cluster, is a
// module of its own), and load holds the load
// generator. Package proc connects the report to both. The directory report holds the
// measurements, the goals (rows.go) and the drawing.
package bench
