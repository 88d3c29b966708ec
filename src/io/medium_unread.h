/*
 * Giving bytes back that were read.
 */
#ifndef UVA__IO_MEDIUM_UNREAD_H
#define UVA__IO_MEDIUM_UNREAD_H

#include "io/medium.h"
#include "io/stream_door.h"

/**
 * Put a medium above *medium that gives all bytes of an input first. The input
 * is empty afterwards. What stands on *medium stands on the new one, and has to
 * watch it anew.
 *
 * @retval UV_ENOMEM Nothing has changed.
 */
int uva__medium_unread(uva__medium_t **medium, uva__input_t *in);

#endif /* UVA__IO_MEDIUM_UNREAD_H */
