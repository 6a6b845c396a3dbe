package main

import (
	"slices"
	"strings"
)

// A row is a line of the report: some work, and the goal for Parley.
type row struct {
	id      string
	measure string
	work    string // key of the figures
	metric  metric
	own     string   // the library that stands for Parley; "" means parley
	rivals  []string // the best of these is the bar

	most   float64 // goal: at most this many times the bar; 0 means no such goal
	least  float64 // goal: at least this many times the bar
	plus   float64 // goal: at most this much more than the bar
	paired bool    // the ratio is the median of the ratios of all rounds, which came in turns
	limits []limit // further limits on figures
}

// A limit bounds a figure of Parley. If beyond is set, the figure may exceed
// that of the bar by most.
type limit struct {
	metric metric
	most   float64
	beyond bool
}

// A metric is a kind of figure, named by its unit.
type metric string

const (
	nanoseconds metric = "ns"          // for an operation
	allocations metric = "allocations" // for an operation
	writes      metric = "writes"      // calls of Write for an operation
	cpuTime     metric = "µs CPU"      // processor time of the server for a message
	calls       metric = "system calls"
	median      metric = "µs p50" // time until the answer
	slowest     metric = "µs p99"
	tail        metric = "µs p99.9"
	elapsed     metric = "ms" // until all is done
	kilobytes   metric = "KB" // resident memory of a connection, in units of 1,024 bytes
	megabytes   metric = "MB" // resident memory of a server, in units of 1,024 KB
	throughput  metric = "messages/s"
	times       metric = "x" // what something else needs

	// Of these a figure is the sum of all rounds.
	lost      metric = "lost"
	doubled   metric = "doubled"
	reordered metric = "reordered"
)

var (
	masks   = []string{"coder", "gobwas"}
	libs    = []string{"gobwas", "gws", "gorilla", "coder", "nbio", "x/net"}
	readers = []string{"byhand"}
	// The libraries with a goroutine for each connection.
	goroutines = []string{"gorilla", "coder", "gws", "gobwas"}

	noAllocation = limit{metric: allocations}
	oneWrite     = limit{metric: writes, most: 1}
)

// rows lists the rows and their goals. Their ids are in ids.
var rows = slices.Concat(memoryRows, loopbackRows, countRows(), heldRows, socketIORows, handlerRows(), nodeRows())

// memoryRows are measured in memory, without a network.
var memoryRows = []row{
	{id: "P1", measure: "mask 16 B", work: "P1", metric: nanoseconds, rivals: masks, most: 1},
	{id: "P2", measure: "mask 125 B", work: "P2", metric: nanoseconds, rivals: masks, most: 0.87},
	{id: "P3", measure: "mask 1 KB, aligned, beside a copy", work: "P3a", metric: nanoseconds, rivals: []string{"copy"}, most: 1.05},
	{id: "P3", measure: "mask 16 KB, aligned, beside a copy", work: "P3b", metric: nanoseconds, rivals: []string{"copy"}, most: 1.05},
	{id: "P4", measure: "mask 16 KB, unaligned", work: "P4", metric: nanoseconds, rivals: masks, most: 0.85},
	{id: "P5", measure: "parse a header, 16 B", work: "P5/16", metric: nanoseconds, rivals: []string{"gobwas"}, most: 0.5, limits: []limit{noAllocation}},
	{id: "P5", measure: "parse a header, 1 KB", work: "P5/1024", metric: nanoseconds, rivals: []string{"gobwas"}, most: 0.5, limits: []limit{noAllocation}},
	{id: "P5", measure: "parse a header, 1 MB", work: "P5/1048576", metric: nanoseconds, rivals: []string{"gobwas"}, most: 0.5, limits: []limit{noAllocation}},
	{id: "P6", measure: "append a header", work: "P6", metric: nanoseconds, rivals: []string{"gobwas"}, most: 0.12, limits: []limit{noAllocation}},
	{id: "P7", measure: "read 16 B text", work: "P7", metric: nanoseconds, rivals: readers, most: 0.8, limits: []limit{noAllocation}},
	{id: "P8", measure: "read 1 KB binary", work: "P8binary", metric: nanoseconds, rivals: readers, most: 1, limits: []limit{noAllocation}},
	{id: "P8", measure: "read 1 KB text", work: "P8text", metric: nanoseconds, rivals: readers, most: 1.3, limits: []limit{noAllocation}},
	{id: "P9", measure: "read 64 KB binary", work: "P9binary", metric: nanoseconds, rivals: readers, most: 1.05, limits: []limit{noAllocation}},
	{id: "P9", measure: "read 64 KB text", work: "P9text", metric: nanoseconds, rivals: readers, most: 1.7, limits: []limit{noAllocation}},
	{id: "P10", measure: "read 64 KB in 8 fragments", work: "P10", metric: nanoseconds, rivals: []string{"gorilla", "gws", "coder"}, most: 0.35, limits: []limit{noAllocation}},
	{id: "P11", measure: "write 16 B", work: "P11", metric: nanoseconds, rivals: []string{"gorilla"}, most: 0.55, limits: []limit{noAllocation, oneWrite}},
	{id: "P12", measure: "write 1 KB", work: "P12", metric: nanoseconds, rivals: []string{"gorilla"}, most: 0.65, limits: []limit{noAllocation, oneWrite}},
	{id: "P13", measure: "upgrade through net/http, beside a bare hijack", work: "P13", metric: nanoseconds, rivals: []string{"hijack"}, plus: 1000, limits: []limit{{metric: allocations, most: 2, beyond: true}}},
	{id: "P14", measure: "upgrade on the connection itself", work: "P14", metric: nanoseconds, rivals: []string{"gobwas"}, most: 0.75, limits: []limit{{metric: allocations, most: 2}}},
	{id: "P15", measure: "WritePrepared of 128 B, one recipient of 10,000", work: "P15", metric: nanoseconds, rivals: []string{"gws"}, most: 0.4, limits: []limit{noAllocation}},
	{id: "P16", measure: "the same with deflate", work: "P16", metric: nanoseconds, rivals: []string{"gorilla"}, most: 0.2, limits: []limit{noAllocation}},
	{id: "P17", measure: "Send of 128 B, one recipient of 10,000", work: "P17", metric: nanoseconds, rivals: []string{"gorilla"}, most: 0.5, limits: []limit{noAllocation}},
	{id: "P18", measure: "check UTF-8, Japanese, 1 KB", work: "UTF8/cjk/1024", metric: nanoseconds, rivals: []string{"utf8.Valid"}, most: 1. / 6},
	{id: "P18", measure: "check UTF-8, Japanese, 64 KB", work: "UTF8/cjk/65536", metric: nanoseconds, rivals: []string{"utf8.Valid"}, most: 1. / 6},
	{id: "P19", measure: "check UTF-8, ASCII, 1 KB", work: "UTF8/ascii/1024", metric: nanoseconds, rivals: []string{"utf8.Valid"}, most: 1},
	{id: "P19", measure: "check UTF-8, ASCII, 64 KB", work: "UTF8/ascii/65536", metric: nanoseconds, rivals: []string{"utf8.Valid"}, most: 1},
	{id: "P20", measure: "echo 1 KB with deflate, klauspost/compress", work: "P20", metric: nanoseconds, rivals: []string{"gws"}, most: 1},
	{id: "P20", measure: "the same, many messages in a read", work: "P20batch", metric: nanoseconds, rivals: []string{"gws"}},
	{id: "P21", measure: "echo 1 KB with deflate, compress/flate", work: "P21", metric: nanoseconds, rivals: []string{"gorilla"}, most: 0.85},
	{id: "P21", measure: "the same, many messages in a read", work: "P21batch", metric: nanoseconds, rivals: []string{"gorilla"}},
}

// ids lists all ids. A report must cover each of them.
var ids = []string{
	"P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15", "P16", "P17",
	"P18", "P19", "P20", "P21", "L1", "L2", "L3", "L4", "L5", "L6", "L7", "C1", "C2", "M1", "M2", "M3", "M4", "M5",
	"S1", "S2", "S3", "S4", "S5", "H1", "H2", "H3", "H4", "H5", "N1", "N2", "N3", "N4", "N5", "N6", "N7",
}

// rowsOf returns the rows whose ids begin with one of some letters.
func rowsOf(letters string) (some []row) {
	for i := range rows {
		if strings.Contains(letters, rows[i].id[:1]) {
			some = append(some, rows[i])
		}
	}
	return some
}

func (r *row) ours() string {
	if r.own != "" {
		return r.own
	}
	return us
}
