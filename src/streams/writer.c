/*
 * StreamWriter (asyncio.streams): writing, and waiting until it is time to
 * write more, or until the connection is closed.
 *
 * Invariant: a task in drain is woken when writing is resumed or the connection
 * is lost; a task in wait_closed when it is lost. The loss comes exactly once
 * for every connection, after a close too, so no task waits for ever.
 */
#include <limits.h>
#include <stdarg.h>

#include "base/buffer.h"
#include "base/format.h"
#include "base/list.h"
#include "base/util.h"
#include "streams/streams.h"

/* How long a text uva_writer_printf makes on the stack; a longer one is
 * allocated. Small, as stackful tasks have small stacks. */
#define PRINTF_BYTES 512

/* --- writing --- */

int uva_writer_write(uva_writer_t *writer, const void *data, size_t size)
{
    return uva_transport_write(writer->transport, data, size);
}

int uva_writer_write_take(uva_writer_t *writer, uva_buffer_t *take_buffer)
{
    return uva_transport_write_take(writer->transport, take_buffer);
}

int uva_writer_writelines(uva_writer_t *writer,
                          const uva_bytes_t *lines,
                          size_t count)
{
    return uva_transport_writelines(writer->transport, lines, count);
}

/* A short text is made on the stack, a long one in a buffer. uva__vformat
 * returns the bytes that it wanted to write, so the size tells whether it
 * fitted. */
int uva_writer_printf(uva_writer_t *writer, const char *format, ...)
{
    char text[PRINTF_BYTES];
    uva_buffer_t longer = {0};
    va_list list;
    size_t size;
    int r = 0;

    va_start(list, format);
    size = uva__vformat(text, sizeof text, format, list);
    va_end(list);
    if (size < sizeof text) {
        r = uva_writer_write(writer, text, size);
    } else {
        va_start(list, format);
        r = uva__buffer_vprintf(&longer, format, list);
        va_end(list);
        size = longer.size;
        r = r < 0 ? r : uva_writer_write_take(writer, &longer);
    }
    return r < 0 ? r : size > INT_MAX ? INT_MAX : (int)size;
}

int uva_writer_send_fds(uva_writer_t *writer,
                        const void *data,
                        size_t size,
                        const int *fds,
                        size_t count)
{
    return uva_transport_send_fds(writer->transport, data, size, fds, count);
}

int uva_writer_write_eof(uva_writer_t *writer)
{
    return uva_transport_write_eof(writer->transport);
}

bool uva_writer_can_write_eof(const uva_writer_t *writer)
{
    return uva_transport_can_write_eof(writer->transport);
}

/* --- draining --- */

/* Wake all tasks of a list. Each leaves the list by itself when it runs, so the
 * list does not change under the walk. */
static void writer_wake(uva_list_t *waiters)
{
    UVA__LIST_FOREACH (waiter, waiters, uva_waiter_t, link) {
        (void)uva_waiter_wake(waiter);
    }
}

void uva__writer_resume(uva_writer_t *writer)
{
    writer->paused = false;
    writer_wake(&writer->drainers);
}

void uva__writer_lost(uva_writer_t *writer)
{
    writer->lost = true;
    writer_wake(&writer->drainers);
    writer_wake(&writer->closers);
}

/* Stages of a drain. */
enum {
    DRAIN_FIRST,  /* The first call, or it waits among the drainers. */
    DRAIN_YIELDED /* The iteration on a closing transport is under way. */
};

/* Wait among the drainers while writing is paused. asyncio: streams.py,
 * FlowControlMixin._drain_helper: ConnectionResetError on a lost connection,
 * whatever it was lost with. */
static int drain_wait(uva_writer_t *writer, uva_waiter_t *self)
{
    if (UVA__UNLIKELY(writer->lost)) {
        return uva__bare(UV_ECONNRESET);
    }
    if (UVA__LIKELY(!writer->paused)) {
        return 0;
    }
    return uva_waiter_suspend(self, &writer->reader->in.loop,
                              &writer->drainers);
}

/* A drain goes on: after the iteration on a closing transport, or after its
 * wait. asyncio: connection_lost sets a waiting drain's result or exception, so
 * here the code of the loss is told, not UV_ECONNRESET. */
static UVA__NOINLINE int drain_resumed(uva_writer_t *writer, uva_waiter_t *self)
{
    int r;

    if (uva_waiter_get_stage(self) == DRAIN_YIELDED) {
        uva_waiter_set_stage(self, DRAIN_FIRST);
        r = uva_yield_poll();
        return r < 0 ? r : drain_wait(writer, self);
    }
    r = uva_waiter_finish(self); /* A cancellation wins over a loss. */
    if (r >= 0 && writer->lost) {
        r = uva__bare(uva__transport_status(writer->transport));
    }
    return r;
}

/* A drain that waits, has waited, or fails. */
static UVA__NOINLINE int drain_slow(uva_writer_t *writer)
{
    uva_waiter_t *self = uva_waiter_current();
    int r = writer->reader->in.exception;

    if (uva_waiter_resumed(self)) {
        return drain_resumed(writer, self);
    }
    if (r < 0) { /* asyncio: the reader's exception comes first. */
        return uva__bare(r);
    }
    if (UVA__UNLIKELY(uva_transport_is_closing(writer->transport))) {
        /* An iteration, so that connection_lost can run: else a task that
         * writes and drains in a loop would never hear of it. */
        r = uva_yield_poll();
        if (r == UVA_PENDING) {
            uva_waiter_set_stage(self, DRAIN_YIELDED);
        }
        return r;
    }
    return drain_wait(writer, self);
}

/* asyncio: streams.py, StreamWriter.drain. */
int uva_writer_drain_poll(uva_writer_t *writer)
{
    /* Nothing to wait for. No task is among the drainers, so this is no second
     * call of an await, and the waiter need not be asked. */
    if (UVA__LIKELY(!writer->paused && !writer->lost &&
                    writer->reader->in.exception == 0 &&
                    uva__list_empty(&writer->drainers) &&
                    !uva_transport_is_closing(writer->transport))) {
        return 0;
    }
    return drain_slow(writer);
}

int uva_writer_drain(uva_writer_t *writer)
{
    int r;

    UVA_DRIVE(r, uva_writer_drain, writer);
    return r;
}

int uva_writer_send_poll(uva_writer_t *writer, const void *data, size_t size)
{
    int r = 0;

    if (!uva_waiter_resumed(uva_waiter_current())) { /* Not written yet. */
        r = uva_writer_write(writer, data, size);
    }
    return r < 0 ? r : uva_writer_drain_poll(writer);
}

int uva_writer_send(uva_writer_t *writer, const void *data, size_t size)
{
    int r;

    UVA_DRIVE(r, uva_writer_send, writer, data, size);
    return r;
}

int uva_writer_sendfile_poll(uva_sendfile_op_t *op,
                             uva_writer_t *writer,
                             int file,
                             const uva_sendfile_options_t *options,
                             uint64_t *ret_sent)
{
    return uva_transport_sendfile_poll(op, writer->transport, file, options,
                                       ret_sent);
}

int uva_writer_sendfile(uva_writer_t *writer,
                        int file,
                        const uva_sendfile_options_t *options,
                        uint64_t *ret_sent)
{
    uva_sendfile_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_writer_sendfile, &op, writer, file, options, ret_sent);
    return r;
}

/* --- closing --- */

void uva_writer_close(uva_writer_t *writer)
{
    uva_transport_close(writer->transport);
}

bool uva_writer_is_closing(const uva_writer_t *writer)
{
    return uva_transport_is_closing(writer->transport);
}

/* asyncio: streams.py, StreamWriter.wait_closed: 0 after a close, the exception
 * after a loss, as often as it is asked. */
int uva_writer_wait_closed_poll(uva_writer_t *writer)
{
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (uva_waiter_resumed(self)) {
        r = uva_waiter_finish(self);
        if (r < 0) {
            return r;
        }
    } else if (!writer->lost) {
        return uva_waiter_suspend(self, &writer->reader->in.loop,
                                  &writer->closers);
    }
    return uva__bare(uva__transport_status(writer->transport));
}

int uva_writer_wait_closed(uva_writer_t *writer)
{
    int r;

    UVA_DRIVE(r, uva_writer_wait_closed, writer);
    return r;
}

/* --- looking, references --- */

uva_transport_t *uva_writer_transport(const uva_writer_t *writer)
{
    return writer->transport;
}

/* References are the transport's: reader and writer go together with it. */
uva_writer_t *uva_writer_ref(uva_writer_t *writer)
{
    if (writer != NULL) {
        (void)uva_transport_ref(writer->transport);
    }
    return writer;
}

uva_writer_t *uva_writer_unref(uva_writer_t *writer)
{
    if (writer != NULL) {
        (void)uva_transport_unref(writer->transport);
    }
    return NULL;
}
