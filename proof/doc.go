// Package proof holds tests of all packages together: what they promise about the world outside
// them. It exports nothing.
//
//	codecs     what a client sends against what its server decodes, and back
//	cut        conversations that end at every byte, in every way
//	limits     limits of servers and clients, each tripped; docs/security.md is made of the same table
//	regress    known failures of software of this kind, with their bytes, and faults that were mended
//	tls        names, certificates, HTTP/2, and streams that are cut
package proof
