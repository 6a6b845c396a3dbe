// Package restarts is a test: two servers behind nginx take turns in being restarted, as at
// a deployment, while thousands of clients talk. It holds what operators rely on against
// what they see: every client is told of the end, comes back to what it had, and no message
// that was acknowledged is lost or comes twice.
//
//	go -C adapters/redisstreams test ./restarts -v                               # the short form
//	go -C adapters/redisstreams test ./restarts -v -clients 5000 -restarts 4 -every 20s -pause 20s
package restarts
