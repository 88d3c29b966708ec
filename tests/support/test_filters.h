/*
 * Two filters for tests: a substitution cipher, which needs no opening, and a
 * framing with a handshake and a goodbye.
 */
#ifndef TEST_FILTERS_H
#define TEST_FILTERS_H

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

/** How many engines are alive. */
extern int uva_test_engines;

#endif /* TEST_FILTERS_H */
