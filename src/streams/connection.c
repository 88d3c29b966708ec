/*
 * uva_connection_close: what a user of asyncio writes as writer.close() and
 * await writer.wait_closed() (asyncio.streams, StreamWriter).
 *
 * Invariant: both references are dropped exactly once, by the call that returns
 * anything but UVA_PENDING or UV_EPERM. The handler of a server has no
 * references of its own, so for its task none is dropped.
 */
#include "streams/streams.h"

/* Put a cancellation back that came while the task waited here: the next await
 * delivers it. The clean-up is often the last call of a task, whose result is
 * not looked at; a cancellation must not be lost there. uncancel undoes the
 * count of the second request, as there was one cancellation only. */
static void connection_keep_cancellation(void)
{
    uva_task_t *task = uva_current_task();
    const uva_error_t *words = uva_task_error();

    (void)uva_future_cancel_message(
        UVA_FUTURE(task), words == NULL ? NULL : uva_error_text(words));
    (void)uva_task_uncancel(task);
}

/* The transport of a connection, found by either half. NULL for a reader of its
 * own, or if both halves are NULL. */
static uva_transport_t *connection_transport(const uva_reader_t *reader,
                                             const uva_writer_t *writer)
{
    return reader != NULL   ? reader->in.transport
           : writer != NULL ? writer->transport
                            : NULL;
}

/* Whether the calling thread may close the connection; the log says so if not.
 */
static bool connection_owned(const uva_transport_t *transport)
{
    return uva_loop_owned(uva__transport_loop(transport),
                          "uva_connection_close");
}

/* Drop the references: the last act, as the transport may go with them. @return
 * Why the connection was lost, or 0. */
static int connection_end(uva_reader_t *take_reader,
                          uva_writer_t *take_writer,
                          uva_transport_t *transport)
{
    int r = uva__bare(uva__transport_status(transport));

    if (!uva__transport_served(transport)) {
        (void)uva_reader_unref(take_reader);
        (void)uva_writer_unref(take_writer);
    }
    return r;
}

int uva_connection_close_poll(uva_reader_t *take_reader,
                              uva_writer_t *take_writer)
{
    uva_transport_t *transport = connection_transport(take_reader, take_writer);
    uva_waiter_t *self = uva_waiter_current();
    uva__stream_t *stream;
    int r;

    if (transport == NULL) {
        (void)uva_reader_unref(take_reader); /* One of its own. */
        return 0;
    }
    if (uva_waiter_resumed(self)) { /* Closed, or cancelled meanwhile. */
        if (uva_waiter_finish(self) < 0) {
            connection_keep_cancellation();
        }
        return connection_end(take_reader, take_writer, transport);
    }
    if (!connection_owned(transport)) {
        return UV_EPERM;
    }
    uva_transport_close(transport);
    /* Wait for unsent bytes only. Without any the connection is closed already,
     * and connection_lost is on its way: there is nothing to learn from it. */
    if (uva_transport_get_write_buffer_size(transport) > 0) {
        stream = uva__transport_state(transport);
        r = uva_waiter_suspend(self, &stream->reader.in.loop,
                               &stream->writer.closers);
        if (r == UVA_PENDING) {
            return r;
        }
    }
    return connection_end(take_reader, take_writer, transport);
}

int uva_connection_close(uva_reader_t *take_reader, uva_writer_t *take_writer)
{
    uva_transport_t *transport = connection_transport(take_reader, take_writer);
    int r;

    if (transport != NULL && !connection_owned(transport)) {
        return UV_EPERM;
    }
    if (uva__block_check() < 0 && transport != NULL) {
        /* Nothing can wait here: a callback, or a stackless task. The transport
         * sends the rest by itself. */
        uva_transport_close(transport);
        return connection_end(take_reader, take_writer, transport);
    }
    while ((r = uva_connection_close_poll(take_reader, take_writer)) ==
           UVA_PENDING) {
        uva__block("uva_connection_close");
    }
    return r;
}
