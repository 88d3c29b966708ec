/*
 * Giving bytes back that were read.
 */
#ifndef UVA__IO_MEDIUM_UNREAD_H
#define UVA__IO_MEDIUM_UNREAD_H

#include "io/medium.h"
#include "io/output.h"
#include "io/stream_door.h"

/**
 * Put a medium above *medium that gives bytes first. What stands on *medium
 * stands on the new one, and has to watch it anew.
 *
 * @param take_bytes Empty afterwards.
 * @retval UV_ENOMEM Nothing has changed.
 */
int uva__medium_unread(uva__medium_t **medium,
                       uva_loop_t *loop,
                       uva__output_t *take_bytes);
/** The same with all bytes of an input, which is empty afterwards. Without any
 * nothing is changed. */
int uva__medium_unread_input(uva__medium_t **medium, uva__input_t *in);

#endif /* UVA__IO_MEDIUM_UNREAD_H */
