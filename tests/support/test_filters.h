/*
 * Filters for tests: a substitution cipher, which needs no opening, a framing
 * with a handshake and a goodbye, and a probe.
 */
#ifndef TEST_FILTERS_H
#define TEST_FILTERS_H

#include "uva/connections.h"
#include "uva/filters.h"

/** Letters are moved by 13: sending and receiving are the same. Has an end of
 * stream, which is that of the medium below. */
extern const uva_filter_ops_t uva_test_rot13_ops;
/** Frames of a length in two bytes and so many bytes. Both sides begin with
 * "HELLO\n"; a frame of length 0 is the goodbye, which the peer answers. */
extern const uva_filter_ops_t uva_test_frames_ops;

/** Kinds of these filters; framing opens and closes within 10 ms. */
extern const uva_filter_kind_t uva_test_rot13;
extern const uva_filter_kind_t uva_test_frames;
/** The same with time limits that pass at once: only for tests of these. */
extern const uva_filter_kind_t uva_test_quick_frames;

/* --- a probe --- */

/* The calls of an engine in which a probe acts. */
typedef enum uva_test_call_e {
    UVA_TEST_IN_START,
    UVA_TEST_IN_RECEIVED,
    UVA_TEST_IN_WRITE,
    UVA_TEST_IN_CLOSE,
    UVA_TEST_CALLS
} uva_test_call_t;

typedef struct uva_test_probe_s {
    void (*act)(uva_transport_t *transport); /* In the call; may be NULL. */
    uva_test_call_t call;
    int fails;            /* What received returns, behind what it gives. */
    bool waits;           /* The test calls uva_filter_ready and _closed. */
    int writes;           /* Calls of write. */
    uva_filter_t *filter; /* Borrowed: the last one. */
} uva_test_probe_t;

/** A kind whose engine changes nothing, acts on its transport, and counts; its
 * end of stream is sent as "$". The probe is borrowed. */
uva_filter_kind_t uva_test_probe_kind(uva_test_probe_t *probe);

/* --- one end, and a plain socket --- */

typedef struct uva_test_end_s {
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_transport_t *transport;
    int fd;
} uva_test_end_t;

/** Make both; options may be NULL. */
uva_test_end_t uva_test_end_make(const uva_connection_options_t *options);
/** Close both, and wait for the end of every engine. */
void uva_test_end_free(uva_test_end_t *end);

/** How many engines are alive. */
extern int uva_test_engines;

#endif /* TEST_FILTERS_H */
