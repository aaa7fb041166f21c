// Package rfc2217 serves a serial line to a client by telnet's COM-PORT-OPTION (RFC 2217,
// over RFC 854 and 855): pyserial's rfc2217://, ser2net's clients and others set rate, format
// and flow control, drive DTR and RTS, send breaks, and see the modem lines and errors.
//
// The server waits for the client to begin with telnet. One that never does has plain bytes,
// of which 255 must be sent twice, and comes twice.
package rfc2217
