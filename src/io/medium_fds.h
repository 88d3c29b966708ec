/*
 * Descriptors beside the bytes of a unix socket.
 */
#ifndef UVA__IO_MEDIUM_FDS_H
#define UVA__IO_MEDIUM_FDS_H

#include "io/medium.h"

/* Descriptors that have come and were not taken, oldest first. */
typedef struct uva__fds_s {
    int *fds; /* Owned, and each of them; NULL if there are none. */
    size_t count;
    size_t most_count; /* 0: none is received. */
} uva__fds_t;

/** Take the first ones. @return How many: at most room. */
size_t uva__fds_take(uva__fds_t *self, int *fds, size_t room);
/** Close all. */
void uva__fds_close(uva__fds_t *self);

/** Whether descriptors can go beside what is sent to a medium: it is a unix
 * socket, or passes all to one. */
bool uva__medium_passes_fds(uva__medium_t *medium);
/**
 * Find the medium that lets descriptors go along, or put it above the socket
 * below *medium, which passes descriptors. What stands there stands there
 * still, and need not watch anew.
 *
 * @retval UV_ENOMEM Nothing has changed.
 */
int uva__medium_fds(uva__medium_t **medium,
                    uva_loop_t *loop,
                    uva__medium_t **ret_carrier);
/** Receive descriptors from now on. @param fds Borrowed: where they go. */
void uva__medium_receive_fds(uva__medium_t *carrier, uva__fds_t *fds);
/**
 * Let descriptors go beside a byte that is written next.
 *
 * @param unsent_bytes How many are to leave before it.
 * @param fds          Duplicated.
 * @return 0, UV_ENOMEM, or a code of dup.
 */
int uva__medium_send_fds(uva__medium_t *carrier,
                         size_t unsent_bytes,
                         const int *fds,
                         size_t count);
/** The byte was not written: forget what uva__medium_send_fds was given last.
 */
void uva__medium_unsend_fds(uva__medium_t *carrier);

#endif /* UVA__IO_MEDIUM_FDS_H */
