/*
 * The lower half of a filter: its phases, and the medium below, from which
 * bytes go to the engine and to which those go that the engine makes.
 * medium_filter.c has the upper half.
 *
 * Invariant: whenever the wire has bytes and no call of the engine is under
 * way, the medium below is watched for writability, or the node is queued and
 * will watch it.
 */
#include "io/filter_below.h"

#include "core/loop.h"
#include "core/ready.h"

#define LINGERING_BYTES 65536u

/* Reads from below when a send has failed. */
#define READS_AHEAD 3

/* Pieces to one send of the medium below. */
#define PIECES 8

/* --- phases --- */

void uva__filter_queue(uva_filter_t *self)
{
    if (!self->queued) {
        self->queued = true;
        uva__loop_push(self->loop, &self->ready);
    }
}

void uva__filter_set_phase(uva_filter_t *self, uva__filter_phase_t phase)
{
    self->phase = (uint8_t)phase;
    uva__timer_stop(self->loop, &self->timer);
    if (self->on_phase != NULL) {
        self->on_phase(self->on_phase_data);
    }
}

void uva__filter_fail(uva_filter_t *self, int code)
{
    if (self->status == 0) {
        self->status = code;
        uva__filter_set_phase(self, UVA__FILTER_CLOSED);
        uva__filter_queue(self);
    }
}

/* --- the medium below --- */

/* A peer that answers and then resets the connection: its answer, or why it
 * refuses, lies below while a send fails. So what is there is read first, by
 * the transport, or by the node in the drain. */
static void filter_send_failed(uva_filter_t *self, int code)
{
    if (self->phase < UVA__FILTER_CLOSING) {
        self->send_status = code;
        uva__filter_queue(self);
    } else {
        uva__filter_fail(self, code);
    }
}

void uva__filter_flush(uva_filter_t *self)
{
    uva__medium_t *below = self->below;
    uva__output_t *wire = &self->wire.bytes;
    uva__supply_t nothing = {0};
    bool held = uva__filter_held(self) > 0;
    size_t total = 1;
    ssize_t sent = 1;

    if (below == NULL || self->calls > 0) {
        return; /* After the call of the engine, which may make more. */
    }
    while (wire->bytes > 0 && sent == (ssize_t)total) {
        struct iovec pieces[PIECES];
        size_t count =
            uva__output_pieces(wire, &nothing, pieces, PIECES, &total);
        sent = uva__medium_send(below, pieces, count);
        if (sent > 0) {
            uva__output_consume_slow(wire, NULL, self->loop, (size_t)sent);
        }
        if (self->below == NULL) {
            return; /* An engine below has aborted the connection. */
        }
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        uva__output_clear(wire, self->loop);
        filter_send_failed(self, (int)sent);
    }
    /* The node watches the medium below, or tells what stands above that it may
     * write again. */
    if (uva__filter_held(self) > 0
            ? (self->below_events & UV_WRITABLE) == 0
            : held && (self->events & UV_WRITABLE) != 0) {
        uva__filter_queue(self);
    }
}

void uva__filter_called(uva_filter_t *self)
{
    self->calls--;
    uva__filter_flush(self);
}

/* The medium below has ended. */
static void filter_raw_eof(uva_filter_t *self)
{
    const uva_filter_ops_t *ops = self->kind->ops;
    int r = 0;

    self->raw_eof = true;
    if (ops->ended != NULL) {
        self->calls++;
        r = ops->ended(self->state);
        uva__filter_called(self);
    }
    if (r >= 0 && self->phase == UVA__FILTER_OPENING) {
        r = UV_ECONNRESET; /* asyncio: sslproto.py, "Connection lost during". */
    }
    if (r < 0) {
        uva__filter_fail(self, r);
    } else {
        self->eof = true;
        if (self->phase == UVA__FILTER_CLOSING) {
            uva__filter_set_phase(self, UVA__FILTER_CLOSED);
        }
        uva__filter_queue(self);
    }
}

/* Bytes came from below: the engine takes them. */
static void
filter_give_engine(uva_filter_t *self, const void *data, size_t size)
{
    size_t most = self->kind->lingering_bytes == 0
                      ? LINGERING_BYTES
                      : self->kind->lingering_bytes;
    int r;

    if (self->phase == UVA__FILTER_CLOSING) {
        self->lingering += size;
        if (self->lingering > most) { /* It does not listen: cut it. */
            uva__filter_fail(self, UV_ECONNABORTED);
            return;
        }
    }
    self->calls++;
    r = self->kind->ops->received(self->state, (uva_bytes_t){data, size});
    uva__filter_called(self);
    if (r < 0) {
        uva__filter_fail(self, r);
    }
}

/* Into the memory that all sockets of the loop share. */
bool uva__filter_pull(uva_filter_t *self)
{
    uint8_t *scratch = uva__blocks_of(self->loop)->scratch;
    ssize_t count;

    if (self->below == NULL || self->raw_eof || self->status < 0 ||
        self->phase == UVA__FILTER_CLOSED) {
        self->has_raw = false;
        return false;
    }
    count = uva__medium_receive(self->below, scratch, UVA__READ_BYTES);
    self->has_raw = count == (ssize_t)UVA__READ_BYTES;
    if (count > 0) {
        filter_give_engine(self, scratch, (size_t)count);
    } else if (count == 0) {
        filter_raw_eof(self);
    } else if (count != UV_EAGAIN) {
        uva__filter_fail(self, (int)count);
    }
    return count > 0;
}

void uva__filter_read_ahead(uva_filter_t *self)
{
    int pulls = 0;

    while (pulls < READS_AHEAD && uva__filter_pull(self)) {
        pulls++;
    }
    uva__filter_fail(self, self->send_status);
}
