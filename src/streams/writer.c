/*
 * StreamWriter (asyncio.streams): writing, and waiting until it is time to
 * write more, or until the connection is closed.
 *
 * Invariant: a task that drains is woken when the writer is resumed or lost;
 * one that waits for the close when it is lost, which comes once for every
 * connection.
 */
#include <limits.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/format.h"
#include "base/list.h"
#include "base/util.h"
#include "streams/streams.h"

/* The size of a printf on the stack; more is allocated. */
#define PRINTF_BYTES 512

/* --- writing --- */

int uva_writer_write(uva_writer_t *writer, const void *data, size_t size)
{
    return uva_transport_write(writer->transport, data, size);
}

int uva_writer_write_take(uva_writer_t *writer, uva_buffer_t *take_buffer)
{
    int r = uva_transport_write(writer->transport, take_buffer->data,
                                take_buffer->size);

    uva_buffer_clear(take_buffer);
    return r;
}

int uva_writer_writelines(uva_writer_t *writer,
                          const uva_bytes_t *lines,
                          size_t count)
{
    return uva_transport_writelines(writer->transport, lines, count);
}

/* A short text is made on the stack, a long one in a buffer. */
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

int uva_writer_write_eof(uva_writer_t *writer)
{
    return uva_transport_write_eof(writer->transport);
}

bool uva_writer_can_write_eof(const uva_writer_t *writer)
{
    return uva_transport_can_write_eof(writer->transport);
}

/* --- draining --- */

/* Wake all tasks of a list; each leaves it by itself. */
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
    DRAIN_FIRST,
    DRAIN_YIELDED
};

/* asyncio: streams.py, FlowControlMixin._drain_helper. */
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

/* A drain goes on: after the iteration of a closing transport, or after its
 * wait. */
static UVA__NOINLINE int drain_resumed(uva_writer_t *writer, uva_waiter_t *self)
{
    int r;

    if (uva_waiter_get_stage(self) == DRAIN_YIELDED) {
        uva_waiter_set_stage(self, DRAIN_FIRST);
        r = uva_yield_poll();
        return r < 0 ? r : drain_wait(writer, self);
    }
    r = uva_waiter_finish(self);
    if (r >= 0 && writer->lost) {
        r = uva__bare(uva__transport_status(writer->transport));
    }
    return r;
}

/* asyncio: streams.py, StreamWriter.drain. */
int uva_writer_drain_poll(uva_writer_t *writer)
{
    uva_waiter_t *self;
    int r = writer->reader->in.exception;

    /* Not paused, not lost, not closing, and no task waits: nothing to do. */
    if (UVA__LIKELY(!writer->paused && r == 0 && !writer->lost &&
                    uva__list_empty(&writer->drainers) &&
                    !uva_transport_is_closing(writer->transport))) {
        return 0;
    }
    self = uva_waiter_current();
    if (uva_waiter_resumed(self)) {
        return drain_resumed(writer, self);
    }
    if (r < 0) {
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

int uva_writer_drain(uva_writer_t *writer)
{
    int r;

    UVA_DRIVE(r, uva_writer_drain, writer);
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

/* asyncio: streams.py, StreamWriter.wait_closed. */
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
