/*
 * What the proxies of this folder share: two connections, and bytes that are
 * carried between them.
 */
#ifndef EXAMPLES_RELAY_H
#define EXAMPLES_RELAY_H

#include <uva.h>

/* Cancel a handler when its client is gone. */
UVA_TASK(void, watch, uva_writer_t *writer; uva_task_t * handler;)
{
    int r = uva_writer_wait_closed(args->writer);
    if (r != UV_ECANCELED) {
        uva_task_cancel(args->handler); /* Nothing if it has ended. */
    }
    uva_task_unref(args->handler);
    uva_writer_unref(args->writer);
    return r == UV_ECANCELED ? r : 0;
}

/* From here on a client that is gone cancels the running handler, which may
 * wait for a backend and would not see it. */
static inline void cancel_when_gone(uva_writer_t *writer)
{
    uva_go(watch, .writer = uva_writer_ref(writer),
           .handler = uva_task_ref(uva_current_task()));
}

/* Carry bytes one way, and their end. */
UVA_TASK(void, pump, uva_reader_t *from; uva_writer_t * to;)
{
    uva_bytes_t bytes; /* They lie in the reader until it reads again. */
    int r;

    while ((r = uva_reader_read_view(args->from, UVA_NO_LIMIT, &bytes)) > 0) {
        r = uva_writer_send(args->to, bytes.data, bytes.size);
        if (r < 0) {
            return r;
        }
    }
    return r < 0 ? r : uva_writer_write_eof(args->to);
}

/* Carry bytes both ways, until both have ended or one has failed. */
UVA_CORO static inline int relay(uva_reader_t *reader,
                                 uva_writer_t *writer,
                                 uva_reader_t *far_reader,
                                 uva_writer_t *far_writer)
{
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, pump, .from = reader, .to = far_writer);
    uva_taskgroup_spawn(&group, pump, .from = far_reader, .to = writer);
    int r = uva_taskgroup_exit(&group, 0);
    if (r < 0) { /* What has come of one half is not the whole. */
        uva_transport_abort(uva_writer_transport(writer));
        uva_transport_abort(uva_writer_transport(far_writer));
    }
    if (r == UVA_EGROUP) { /* The first failure has ended the other way. */
        r = uva_error_code(uva_error_member(uva_task_error(), 0));
    }
    return uva_is_disconnect(r) ? 0 : r;
}

#endif /* EXAMPLES_RELAY_H */
