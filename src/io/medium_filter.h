/*
 * A filter as a medium: an engine (uva/filters.h) above another medium.
 */
#ifndef UVA__IO_MEDIUM_FILTER_H
#define UVA__IO_MEDIUM_FILTER_H

#include "io/filter_below.h"

/** The filter of a medium; NULL if it is another one. */
uva_filter_t *uva__filter_of(uva__medium_t *medium);
/** Whether a kind is none (NULL), or one of this version. */
bool uva__filter_kind_fits(const uva_filter_kind_t *kind);
/**
 * Put a filter above *medium, and start its engine. Bytes that wait in out are
 * sent below before its own. The filter is told to no one: *medium is still
 * watched as it was, so the caller watches it anew.
 *
 * @param out Its bytes are taken.
 * @return 0, or a code; nothing has changed then. A failure of the engine is
 *         told by on_phase.
 * @retval UV_ENOMEM
 */
int uva__filter_new(uva_transport_t *transport,
                    uva__medium_t **medium,
                    uva__output_t *out,
                    const uva_filter_kind_t *kind,
                    bool is_server,
                    const char *host);
/** Let the engine encode all of an output, however much the medium below takes
 * of it. The filter is open. */
void uva__filter_write_all(uva_filter_t *filter, uva__output_t *out);
/** Begin to close the engine, which is open. on_phase tells the end, now or
 * later. */
void uva__filter_close(uva_filter_t *filter);
#endif /* UVA__IO_MEDIUM_FILTER_H */
