/*
 * The server of slow pages: a process of its own, so that its time and memory
 * are not counted with those of a way. It ends when its starter ends.
 */
#ifndef EXAMPLES_SLOW_PAGES_H
#define EXAMPLES_SLOW_PAGES_H

#include <sys/types.h>

typedef struct slow_pages_s {
    pid_t pid;
    int port;
    int control; /* A line to the server, which ends when this is closed. */
} slow_pages_t;

/* What was asked of the server. */
typedef struct slow_pages_counts_s {
    int served;  /* Pages that were sent. */
    int at_once; /* The most requests that waited for their page at once. */
} slow_pages_counts_t;

/* @return 0, or -1 if there is no server. */
int slow_pages_start(slow_pages_t *server);
/* Take the counts; they begin at 0 again. @return 0, or -1. */
int slow_pages_take_counts(const slow_pages_t *server,
                           slow_pages_counts_t *ret_counts);
/* @return The status of the server. */
int slow_pages_stop(slow_pages_t *server);

#endif /* EXAMPLES_SLOW_PAGES_H */
