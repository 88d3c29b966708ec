/*
 * An HTTP server that misbehaves as its pages say, in a process of its own:
 * real sockets, blocking, a thread for each connection, nothing of uva.
 *
 *   /bytes/N     N bytes of bad_server_byte, with a Content-Length
 *   /plain/N     the same without one: the end of the stream ends it
 *   /status/N    that status, with a Location and a short body
 *   /trickle     a whole answer, a byte at a time
 *   /short       ten bytes of a hundred
 *   /nothing     closed without a byte
 *   /reset       reset without a byte
 *   /greeting    bytes that are no HTTP
 *   /halfhead    closed within the header
 *   /longhead    a header without end
 *   /endless     a body without end
 *   /chunked     a transfer coding
 *   /stall       never answered
 *   /stallbody   half a body, then nothing
 *   /together/N  answered when N of them wait, with the most that ever did
 */
#ifndef TEST_BAD_SERVER_H
#define TEST_BAD_SERVER_H

#include <stddef.h>

/** Start it. What it says is in memory that both processes see. */
void bad_server_start(void);
void bad_server_stop(void);

/** Where it listens, on 127.0.0.1 and, if has_ipv6, on ::1 too. */
int bad_server_port(void);
int bad_server_has_ipv6(void);
/** Connections that it has accepted since its start. */
int bad_server_accepted(void);
/** The most that waited in /together at one moment. */
int bad_server_together(void);

/** Byte i of the bodies of pages of size bytes. */
unsigned char bad_server_byte(size_t i, size_t size);

#endif /* TEST_BAD_SERVER_H */
