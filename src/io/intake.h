/*
 * Where the next bytes of a socket go.
 */
#ifndef UVA__IO_INTAKE_H
#define UVA__IO_INTAKE_H

#include "io/io.h"

/** The connection is lost: tell it behind the bytes that have come; code: why,
 * or 0. An earlier exception stays. */
void uva__intake_lose(uva__intake_t *in, int code);
/** Bytes that began a block were many or few for it. */
void uva__intake_adapt(uva__intake_t *in);
/** Nothing was read into the place that was given. */
void uva__intake_unused(uva__intake_t *in);
/** A place for the next bytes, for uva__intake_feed; never NULL. */
uint8_t *uva__intake_place(uva__intake_t *in, size_t *ret_size);

#endif /* UVA__IO_INTAKE_H */
