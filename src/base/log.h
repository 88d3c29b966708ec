/*
 * How the library writes to the log: uva_set_log is the outer side.
 */
#ifndef UVA__BASE_LOG_H
#define UVA__BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "uva/alloc.h"

/** Write one record. Text beyond 1,000 bytes is cut. Any thread. */
void uva__log(uva_log_level_t level, const char *format, ...) UVA_PRINTF(2, 3);

/** Write a line to standard error, whatever the hook is. Nothing where the
 * program was started without one. @thread any */
void uva__tell_user(const char *text);

/* The limit on records of one place in the code; all zero at first. */
typedef struct uva__log_limit_s {
    uint64_t begin_ns; /* Of the second that is counted. */
    unsigned count;    /* Records in it. */
    unsigned dropped;  /* Since the last record. */
} uva__log_limit_t;

#define UVA__LOG_LIMIT 10u /* Records of one place in a second. */

/** Whether a record may be written at now_ns; if so, how many were dropped
 * since the last one. Counts the record, written or dropped. Not for several
 * threads at once: uva__log_limited holds a mutex. */
bool uva__log_admits(uva__log_limit_t *limit,
                     uint64_t now_ns,
                     unsigned *ret_dropped);

/** uva__log for a place in the code that a peer or a program's fault can reach
 * any number of times. limit is static and belongs to that place. The record
 * after a gap says how many were dropped. Any thread. */
void uva__log_limited(uva__log_limit_t *limit,
                      uva_log_level_t level,
                      const char *format,
                      ...) UVA_PRINTF(3, 4);

#endif /* UVA__BASE_LOG_H */
