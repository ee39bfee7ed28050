//! HTTP/1.1 as bytes (RFC 9110, RFC 9112): decides without I/O. It may not touch a socket, a clock or the routing.
