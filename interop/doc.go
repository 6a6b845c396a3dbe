// Package interop tests Parley against other implementations of WebSocket. It is a
// separate module, so that its requirements do not reach the users of the library.
//
// The folders js, python and java test our Socket.IO server, which is in server,
// with the clients of those languages, and compare it with Node's; client tests our
// client against Node's server; browser drives the examples; proxies puts proxies before our servers. ./check interop and
// ./check browser run them.
package interop
