/*
 * The life of a transport, and its public functions (asyncio.transports, and
 * _SelectorTransport of asyncio.selector_events).
 *
 * Invariant: the memory goes when nobody has a reference, the transport is
 * CLOSED, its handle's close_cb has come, and no queue has it. The protocol
 * hears connection_made and connection_lost from the ready queue, in this
 * order, and connection_lost of every transport that it was told of.
 */
#include "uva/transports.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "io/intake.h"
#include "io/io.h"

#define HIGH_BYTES  65536u
#define LIMIT_BYTES 65536u
#define LIMIT_MOST  (1024u * 1024u * 1024u)

/* --- making and freeing --- */

/* asyncio: transports.py, _set_write_buffer_limits. 0 stands for None. */
static int marks_complete(size_t *high_bytes, size_t *low_bytes)
{
    if (*high_bytes == 0) {
        *high_bytes = *low_bytes == 0             ? HIGH_BYTES
                      : *low_bytes > SIZE_MAX / 4 ? SIZE_MAX
                                                  : *low_bytes * 4;
    }
    if (*low_bytes == 0) {
        *low_bytes = *high_bytes / 4;
    }
    return *high_bytes < *low_bytes ? UV_EINVAL : 0;
}

int uva__transport_kind(uva__transport_kind_t *kind,
                        const uva__direct_ops_t *ops,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes)
{
    kind->ops = ops;
    kind->limit_bytes = limit_bytes == 0 ? LIMIT_BYTES : limit_bytes;
    kind->high_bytes = high_bytes;
    kind->low_bytes = low_bytes;
    if (kind->limit_bytes > LIMIT_MOST) {
        return UV_EINVAL;
    }
    return marks_complete(&kind->high_bytes, &kind->low_bytes);
}

void uva__transport_maybe_free(uva_transport_t *transport)
{
    uva_loop_t *loop = uva__transport_loop(transport);
    size_t bytes = sizeof *transport + transport->ops->state_bytes;

    if (transport->refs > 0 || transport->state != UVA__TRANSPORT_CLOSED ||
        transport->handle_open || transport->queued || transport->dirty ||
        transport->late || transport->task != NULL) {
        return;
    }
    uva__intake_destroy(&transport->in);
    uva__slab_put(&loop->slab, transport, bytes);
    if (loop->closed) {
        uva__loop_maybe_free(loop);
    }
}

static void transport_close_cb(uv_handle_t *handle)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(handle, uva_transport_t, poll);

    transport->handle_open = false;
    uva__transport_maybe_free(transport);
}

/* The descriptor goes at once; the handle's memory when libuv says so. */
static void transport_close_handle(uva_transport_t *transport)
{
    int fd = transport->fd;

    uva__transport_drop_out(transport);
    transport->fd = -1;
    transport->events = 0;
    transport->collect_bytes = 0;
    /* Nothing of the transport after this: it may go with its handle. */
    uva__handle_close((uv_handle_t *)&transport->poll, transport_close_cb);
    close(fd);
}

static void transport_run(uva__ready_t *ready);
static size_t transport_collectable(const uva_transport_t *transport);

int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       int take_fd,
                       const uva__sockaddr_t *peer,
                       uva__transport_state_t state,
                       uva_transport_t **ret_transport)
{
    size_t bytes = sizeof(uva_transport_t) + kind->ops->state_bytes;
    uva_transport_t *transport = uva__slab_get(&loop->slab, bytes);
    uv_loop_t *uv;
    int r;

    if (transport == NULL) {
        close(take_fd);
        return UV_ENOMEM;
    }
    memset(transport, 0, bytes);
    uv = uva__loop_uv(loop);
    r = uv == NULL ? UV_ECANCELED : uv_poll_init(uv, &transport->poll, take_fd);
    if (r < 0) {
        uva__slab_put(&loop->slab, transport, bytes);
        close(take_fd);
        return r;
    }
    uva__socket_prepare(take_fd);
    transport->loop = loop;
    transport->ready.run = transport_run;
    transport->ops = kind->ops;
    transport->high_bytes = kind->high_bytes;
    transport->low_bytes = kind->low_bytes;
    transport->fd = take_fd;
    transport->peer = *peer;
    transport->state = (uint8_t)state;
    transport->handle_open = true;
    transport->collect_bytes = transport_collectable(transport);
    uva__loop_op_begin(loop);
    uva__intake_init(&transport->in, loop, transport, kind->limit_bytes);
    kind->ops->init(uva__transport_behind(transport), transport);
    *ret_transport = transport;
    return 0;
}

void uva__transport_discard(uva_transport_t *transport)
{
    uva_loop_t *loop = uva__transport_loop(transport);

    transport->state = UVA__TRANSPORT_CLOSED;
    uva__list_remove(&transport->link);
    transport_close_handle(transport);
    uva__loop_op_end(loop);
}

uva_transport_t *uva_transport_ref(uva_transport_t *transport)
{
    if (transport != NULL && uva__loop_owned(uva__transport_loop(transport))) {
        uva_loop_t *entered = uva__loop_enter(uva__transport_loop(transport));
        transport->refs++;
        uva__loop_leave(entered);
    }
    return transport;
}

static void transport_drop(uva_transport_t *transport)
{
    if (--transport->refs > 0) {
        return;
    }
    if (transport->state < UVA__TRANSPORT_CLOSING) {
        if (uva__transport_loop(transport)->debug) {
            uva__log(UVA_LOG_WARNING, "a connection was not closed");
        }
        uva_transport_close(transport);
    }
    uva__transport_maybe_free(transport);
}

uva_transport_t *uva_transport_unref(uva_transport_t *transport)
{
    if (transport != NULL && uva__loop_owned(uva__transport_loop(transport))) {
        uva_loop_t *entered = uva__loop_enter(uva__transport_loop(transport));
        transport_drop(transport);
        uva__loop_leave(entered);
    }
    return NULL;
}

/* --- from the ready queue --- */

static void transport_push(uva_transport_t *transport)
{
    if (!transport->queued) {
        transport->queued = true;
        uva__loop_push(uva__transport_loop(transport), &transport->ready);
    }
}

static void transport_made(uva_transport_t *transport)
{
    uva_server_t *server = transport->of.server;
    bool lost = transport->state == UVA__TRANSPORT_LOST;

    transport->made = true;
    if (!lost) {
        transport->state = UVA__TRANSPORT_OPEN;
    }
    transport->ops->connection_made(uva__transport_behind(transport),
                                    uva__server_data(server));
    if (lost) {
        transport_push(transport);
    } else if (transport->state == UVA__TRANSPORT_OPEN) {
        uva__transport_watch(transport);
    }
}

static void transport_lost(uva_transport_t *transport)
{
    uva_loop_t *loop = uva__transport_loop(transport);

    transport->state = UVA__TRANSPORT_CLOSED;
    uva__intake_lose(&transport->in, transport->status);
    transport->ops->connection_lost(uva__transport_behind(transport),
                                    transport->status);
    uva__list_remove(&transport->link);
    uva__loop_op_end(loop);
    if (transport->of.server != NULL) {
        uva__server_detach(transport);
    }
    uva__transport_maybe_free(transport);
}

static void transport_run(uva__ready_t *ready)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(ready, uva_transport_t, ready);

    transport->queued = false;
    if (!transport->made) {
        transport_made(transport);
    } else {
        transport_lost(transport);
    }
}

void uva__transport_open(uva_transport_t *transport)
{
    uva_loop_t *loop = uva__transport_loop(transport);

    if (transport->of.server != NULL) {
        transport_push(transport); /* ACCEPTED: connection_made comes first. */
        return;
    }
    transport->state = UVA__TRANSPORT_OPEN;
    transport->made = true;
    uva__list_append(&loop->io->transports, &transport->link);
    uva__transport_watch(transport);
}

/* --- ending --- */

void uva__transport_fail(uva_transport_t *transport, int status)
{
    if (transport->state >= UVA__TRANSPORT_LOST) {
        return;
    }
    transport->state = UVA__TRANSPORT_LOST;
    transport->status = status;
    transport->settles = true;
    transport_close_handle(transport);
    transport_push(transport);
}

void uva_transport_abort(uva_transport_t *transport)
{
    if (uva__loop_owned(uva__transport_loop(transport))) {
        uva__transport_send_collected(transport);
        uva__transport_fail(transport, 0);
    }
}

void uva_transport_close(uva_transport_t *transport)
{
    if (!uva__loop_owned(uva__transport_loop(transport)) ||
        transport->state >= UVA__TRANSPORT_CLOSING) {
        return;
    }
    transport->state = UVA__TRANSPORT_CLOSING;
    transport->settles = true;
    if (!uva__transport_flush(transport)) {
        uva__transport_watch(transport);
    }
}

/* Everything was sent: what close and write_eof waited for. */
static void transport_sent(uva_transport_t *transport)
{
    if (transport->state == UVA__TRANSPORT_CLOSING) {
        uva__transport_fail(transport, 0);
    } else if (transport->write_eof && !transport->write_shut) {
        transport->write_shut = true;
        (void)shutdown(transport->fd, SHUT_WR);
    }
}

int uva_transport_write_eof(uva_transport_t *transport)
{
    if (!uva__loop_owned(uva__transport_loop(transport))) {
        return uva__bare(UV_EPERM);
    }
    if (transport->state >= UVA__TRANSPORT_CLOSING || transport->write_eof) {
        return 0;
    }
    transport->write_eof = true;
    transport->settles = true;
    transport->collect_bytes = 0;
    (void)uva__transport_flush(transport);
    return 0;
}

bool uva_transport_can_write_eof(const uva_transport_t *transport)
{
    (void)transport;
    return true;
}

bool uva_transport_is_closing(const uva_transport_t *transport)
{
    return transport->state >= UVA__TRANSPORT_CLOSING;
}

int uva__transport_status(const uva_transport_t *transport)
{
    return transport->status;
}

/* Connections of a list that are looked at in a turn. */
#define LOOKS 4

void uva__transports_look(uva_list_t *transports)
{
    for (int i = 0; i < LOOKS && !uva__list_empty(transports); i++) {
        uva_transport_t *transport =
            UVA__LIST_FIRST(transports, uva_transport_t, link);

        uva__list_remove(&transport->link);
        uva__list_append(transports, &transport->link);
        if (transport->state < UVA__TRANSPORT_LOST &&
            uv_is_closing((uv_handle_t *)&transport->poll)) {
            uva__transport_fail(transport, UV_ECONNABORTED);
        }
    }
}

/* --- watching --- */

void uva__transport_watch(uva_transport_t *transport)
{
    int events = 0;
    int r = 0;

    if (transport->state == UVA__TRANSPORT_OPEN && !transport->read_eof &&
        !transport->reading_paused) {
        events |= UV_READABLE;
    }
    if (transport->blocked) {
        events |= UV_WRITABLE;
    }
    if (events == transport->events) {
        return;
    }
    transport->events = (uint8_t)events;
    if (uv_is_closing((const uv_handle_t *)&transport->poll)) {
        r = UV_ECONNABORTED; /* The host has closed the handle. */
    } else if (events == 0) {
        (void)uv_poll_stop(&transport->poll);
    } else {
        r = uv_poll_start(&transport->poll, events, uva__transport_poll_cb);
    }
    if (r < 0) {
        uva__transport_fail(transport, r);
    }
}

bool uva_transport_is_reading(const uva_transport_t *transport)
{
    return transport->state <= UVA__TRANSPORT_OPEN &&
           !transport->reading_paused;
}

void uva_transport_pause_reading(uva_transport_t *transport)
{
    if (uva__loop_owned(uva__transport_loop(transport)) &&
        uva_transport_is_reading(transport)) {
        transport->reading_paused = true;
        if (transport->made) {
            uva__transport_watch(transport);
        }
    }
}

void uva_transport_resume_reading(uva_transport_t *transport)
{
    if (uva__loop_owned(uva__transport_loop(transport)) &&
        transport->state <= UVA__TRANSPORT_OPEN && transport->reading_paused) {
        transport->reading_paused = false;
        if (transport->made) {
            uva__transport_watch(transport);
        }
    }
}

/* --- marks --- */

static void transport_check_marks(uva_transport_t *transport)
{
    void *state = uva__transport_behind(transport);

    if (transport->writing_paused) {
        if (transport->out_bytes <= transport->low_bytes) {
            transport->writing_paused = false;
            transport->ops->resume_writing(state);
        }
    } else if (transport->out_bytes > transport->high_bytes) {
        transport->writing_paused = true;
        transport->ops->pause_writing(state);
    }
}

static size_t transport_collectable(const uva_transport_t *transport)
{
    size_t most = transport->high_bytes < UVA__COLLECT_BYTES
                      ? transport->high_bytes
                      : UVA__COLLECT_BYTES;

    if (transport->blocked || transport->write_eof ||
        transport->state >= UVA__TRANSPORT_LOST ||
        transport->out_bytes > most) {
        return 0;
    }
    return most - transport->out_bytes;
}

void uva__transport_settle(uva_transport_t *transport)
{
    transport_check_marks(transport);
    if (transport->out == NULL) {
        transport_sent(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_watch(transport);
    }
    transport->collect_bytes = transport_collectable(transport);
    transport->settles = transport->writing_paused || transport->write_eof ||
                         transport->state >= UVA__TRANSPORT_CLOSING;
}

int uva_transport_set_write_buffer_limits(uva_transport_t *transport,
                                          size_t high_bytes,
                                          size_t low_bytes)
{
    if (!uva__loop_owned(uva__transport_loop(transport))) {
        return uva__bare(UV_EPERM);
    }
    if (high_bytes == SIZE_MAX && low_bytes == SIZE_MAX) {
        high_bytes = HIGH_BYTES;
    }
    if (high_bytes == SIZE_MAX) {
        high_bytes = low_bytes > SIZE_MAX / 4 ? SIZE_MAX : low_bytes * 4;
    }
    if (low_bytes == SIZE_MAX) {
        low_bytes = high_bytes / 4;
    }
    if (high_bytes < low_bytes) {
        return uva__bare(UV_EINVAL);
    }
    transport->high_bytes = high_bytes;
    transport->low_bytes = low_bytes;
    if (transport->state < UVA__TRANSPORT_LOST && !transport->blocked) {
        /* Collected bytes count only after they were offered to the socket. */
        (void)uva__transport_flush(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_settle(transport);
    }
    return 0;
}

void uva_transport_get_write_buffer_limits(const uva_transport_t *transport,
                                           size_t *ret_high_bytes,
                                           size_t *ret_low_bytes)
{
    *ret_high_bytes = transport->high_bytes;
    *ret_low_bytes = transport->low_bytes;
}

size_t uva_transport_get_write_buffer_size(uva_transport_t *transport)
{
    if (uva__loop_owned(uva__transport_loop(transport))) {
        uva__transport_send_collected(transport);
    }
    return transport->out_bytes;
}

/* --- looking --- */

uva_loop_t *uva_transport_get_loop(const uva_transport_t *transport)
{
    return uva__transport_loop(transport);
}

int uva_transport_fileno(const uva_transport_t *transport)
{
    return transport->fd;
}

int uva_transport_get_peername(const uva_transport_t *transport,
                               uva_address_t *ret_address)
{
    return uva__address_from(&transport->peer, ret_address);
}

int uva_transport_get_sockname(const uva_transport_t *transport,
                               uva_address_t *ret_address)
{
    uva__sockaddr_t address;
    socklen_t size = sizeof address;

    if (transport->fd < 0) {
        return uva__bare(UV_ENOTCONN);
    }
    if (getsockname(transport->fd, &address.any, &size) < 0) {
        return uv_translate_sys_error(errno);
    }
    return uva__address_from(&address, ret_address);
}

/* --- for protocols --- */

void *uva__transport_state(uva_transport_t *transport)
{
    return uva__transport_behind(transport);
}

uva__intake_t *uva__transport_intake(uva_transport_t *transport)
{
    return &transport->in;
}
