/*
 * Opening a connection (asyncio.base_events, create_connection and
 * _connect_sock; asyncio.staggered).
 *
 * An operation looks its names up, then tries the addresses, each as a
 * transport that is CONNECTING. The next attempt starts when one has failed,
 * or, with a delay, when that has passed.
 *
 * Invariant: attempts and look-ups point to the operation and it points to
 * them, so that each can end without the other; libuv never holds memory of
 * the operation. At most one transport outlives it: the winner.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/format.h"
#include "core/owner.h"
#include "core/timers.h"
#include "io/resolver.h"
#include "io/service.h"
#include "io/sockets.h"
#include "io/stream_transport.h"

#define TEXT_BYTES 512

typedef struct uva__dial_s {
    uva_loop_t *loop;
    uva_waiter_t *waiter; /* Borrowed: of the task that waits. */
    uva__transport_kind_t kind;
    uint64_t delay_ns;
    unsigned interleave;
    const char *host; /* The name that is looked up. */
    int family;
    const char *local_host;
    const char *local_port;
    uva__resolve_t *resolve; /* In flight. */
    uva__addresses_t remote;
    uva__addresses_t local;
    size_t next;         /* Of remote: the next one to try. */
    uva_list_t attempts; /* Of uva_transport_t.link. */
    uva__timer_t timer;
    uva_transport_t *winner;
    bool done;
    int status;  /* The first failure. */
    bool differ; /* Not all failures were alike. */
    size_t failures;
    size_t text_bytes;
    char text[TEXT_BYTES]; /* The failures, in order. */
} dial_t;

static void connect_next(dial_t *dial);

/* --- ending --- */

/* Free the operation; what it has still started ends unheard. */
static void connect_release(dial_t *dial)
{
    uva_loop_t *loop = dial->loop;

    if (dial->resolve != NULL) {
        uva__resolve_cancel(dial->resolve);
    }
    uva__timer_stop(loop, &dial->timer);
    while (!uva__list_empty(&dial->attempts)) {
        uva__transport_discard(
            UVA__LIST_FIRST(&dial->attempts, uva_transport_t, link));
    }
    uva__addresses_clear(&dial->remote);
    uva__addresses_clear(&dial->local);
    uva__slab_put(&loop->slab, dial, sizeof *dial);
}

/* The operation has its result: wake the task. */
static void connect_done(dial_t *dial, int status)
{
    dial->done = true;
    dial->status = status;
    uva__timer_stop(dial->loop, &dial->timer);
    if (dial->waiter != NULL) {
        (void)uva_waiter_wake(dial->waiter);
    }
}

/* Keep a failed attempt for the words of the result: its code, and whether all
 * codes are alike. */
static void
connect_note(dial_t *dial, const uva__sockaddr_t *address, int status)
{
    char where[UVA__ADDRESS_TEXT];
    size_t room = sizeof dial->text - dial->text_bytes;
    size_t size;

    if (dial->failures++ == 0) {
        dial->status = status;
    } else if (dial->status != status) {
        dial->differ = true;
    }
    uva__address_format(address, where);
    size = uva__format(
        dial->text + dial->text_bytes, room, "%sConnect call failed %s: %s",
        dial->failures == 1 ? "" : ", ", where, uva_strerror(status));
    dial->text_bytes += size < room ? size : room - 1;
}

/* --- attempts --- */

/* The first socket that is connected ends the other attempts. */
static void connect_won(dial_t *dial, uva_transport_t *transport)
{
    socklen_t size = sizeof transport->peer;

    /* All addresses of a host stand for one of them. */
    (void)getpeername(transport->fd, &transport->peer.any, &size);
    uva__list_remove(&transport->link);
    transport->of.owner = NULL;
    (void)uv_poll_stop(&transport->poll);
    transport->events = 0;
    dial->winner = transport;
    connect_done(dial, 0);
    while (!uva__list_empty(&dial->attempts)) {
        uva__transport_discard(
            UVA__LIST_FIRST(&dial->attempts, uva_transport_t, link));
    }
}

/* An attempt has ended, as SO_ERROR says: the poll only says that it has. */
static void connect_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva_transport_t *transport = UVA__CONTAINER_OF(poll, uva_transport_t, poll);
    dial_t *dial = transport->of.dial;
    int error = 0;
    socklen_t size = sizeof error;

    (void)events;
    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        error = errno;
    }
    if (error == 0 && status >= 0) {
        connect_won(dial, transport);
        return;
    }
    connect_note(dial, &dial->remote.items[transport->address_index],
                 error != 0 ? uv_translate_sys_error(error) : status);
    uva__transport_discard(transport);
    connect_next(dial);
}

/* asyncio: base_events.py, _connect_sock. */
static int connect_bind(const dial_t *dial, int fd, int family)
{
    int r = UV_EADDRNOTAVAIL;

    if (dial->local.count == 0) {
        return 0;
    }
    for (size_t i = 0; i < dial->local.count; i++) {
        const uva__sockaddr_t *local = &dial->local.items[i];
        if (local->any.sa_family != family) {
            continue;
        }
        if (bind(fd, &local->any, uva__sockaddr_bytes(local)) == 0) {
            return 0;
        }
        r = uv_translate_sys_error(errno);
    }
    return r;
}

/* Start an attempt: a transport that is CONNECTING, in the list of attempts. */
static int connect_start(dial_t *dial, const uva__sockaddr_t *address)
{
    int family = address->any.sa_family;
    int fd = uva__socket_open(family);
    uva_transport_t *transport;
    int r;

    if (fd < 0) {
        return fd;
    }
    r = connect_bind(dial, fd, family);
    if (r >= 0) {
        do {
            r = connect(fd, &address->any, uva__sockaddr_bytes(address));
        } while (r < 0 && errno == EINTR);
        r = r == 0 || errno == EINPROGRESS ? 0 : uv_translate_sys_error(errno);
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    r = uva__transport_new(dial->loop, &dial->kind, fd, address,
                           UVA__TRANSPORT_CONNECTING, &transport);
    if (r < 0) {
        return r;
    }
    transport->of.dial = dial;
    transport->address_index = (uint32_t)(address - dial->remote.items);
    r = uv_poll_start(&transport->poll, UV_WRITABLE, connect_poll_cb);
    if (r < 0) {
        uva__transport_discard(transport);
        return r;
    }
    uva__list_append(&dial->attempts, &transport->link);
    return 0;
}

static void connect_fire(uva__timer_t *timer)
{
    connect_next(UVA__CONTAINER_OF(timer, dial_t, timer));
}

/* Start the attempt that is next; the ones that fail at once are noted. When
 * all have failed, the operation is over. */
static void connect_next(dial_t *dial)
{
    uva__timer_stop(dial->loop, &dial->timer);
    while (dial->next < dial->remote.count) {
        const uva__sockaddr_t *address = &dial->remote.items[dial->next++];
        int r = connect_start(dial, address);
        if (r < 0) {
            connect_note(dial, address, r);
            continue;
        }
        if (dial->next < dial->remote.count && dial->delay_ns > 0) {
            /* Without memory the next one waits for a failure. */
            (void)uva__timer_start(
                dial->loop, &dial->timer,
                uva__loop_deadline(dial->loop, dial->delay_ns), connect_fire);
        }
        return;
    }
    if (uva__list_empty(&dial->attempts)) {
        connect_done(dial, dial->status);
    }
}

/* --- names --- */

/* Addresses of one family after another, with first of them in front of the
 * others. asyncio: base_events.py, _interleave_addrinfos. */
static void connect_interleave(dial_t *dial)
{
    uva__sockaddr_t *items = dial->remote.items;
    size_t count = dial->remote.count;
    size_t ahead = dial->interleave;
    size_t placed = 0;

    /* Insertion: at each place the next address of the family that is due. */
    while (placed < count && dial->interleave > 0) {
        int first = items[0].any.sa_family;
        bool same = placed < ahead || (placed - ahead) % 2 == 1;
        size_t i = placed;
        while (i < count && (items[i].any.sa_family == first) != same) {
            i++;
        }
        if (i < count) {
            uva__sockaddr_t moved = items[i];
            memmove(&items[placed + 1], &items[placed],
                    (i - placed) * sizeof *items);
            items[placed] = moved;
        }
        placed++;
    }
}

/* The local addresses are known, or none were asked for. */
static void
connect_resolved_local(void *data, int status, uva__addresses_t *take_addresses)
{
    dial_t *dial = data;

    dial->resolve = NULL;
    if (status < 0) {
        connect_done(dial, status);
        return;
    }
    dial->local = *take_addresses;
    connect_interleave(dial);
    connect_next(dial);
}

/* The addresses of the host are known. */
static void
connect_resolved(void *data, int status, uva__addresses_t *take_addresses)
{
    dial_t *dial = data;
    uva__addresses_t local = {0};
    uva__name_t name = {.host = dial->local_host,
                        .port = dial->local_port,
                        .family = dial->family,
                        .passive = true};
    int r;

    dial->resolve = NULL;
    if (status < 0) {
        connect_done(dial, status);
        return;
    }
    dial->remote = *take_addresses;
    if (name.host == NULL && name.port == NULL) {
        connect_resolved_local(dial, 0, &local);
        return;
    }
    if (name.port == NULL) {
        name.port = "0";
    }
    dial->host = name.host;
    r = uva__resolve(dial->loop, &name, connect_resolved_local, dial, &local,
                     &dial->resolve);
    if (r != 0) {
        connect_resolved_local(dial, r < 0 ? r : 0, &local);
    }
}

/* --- the operation --- */

/* Check the options. NULL stands for the defaults. */
static int connect_options(dial_t *dial,
                           const uva_connection_options_t *options,
                           const uva__direct_ops_t *ops)
{
    if (options == NULL) {
        return uva__transport_kind(&dial->kind, ops, 0, 0, 0);
    }
    if (options->size < sizeof *options || options->family > UVA_FAMILY_IPV6) {
        return UV_EINVAL;
    }
    dial->delay_ns = options->happy_eyeballs_delay_ns;
    dial->interleave = options->interleave;
    if (dial->interleave == 0 && dial->delay_ns > 0) {
        dial->interleave = 1;
    }
    dial->family = uva__family(options->family);
    dial->local_host = options->local_host;
    dial->local_port = options->local_port;
    return uva__transport_kind(&dial->kind, ops, options->limit_bytes,
                               options->high_bytes, options->low_bytes);
}

/* The result of a dial, in the words of its attempts. */
static int connect_result(const dial_t *dial)
{
    if (dial->status >= 0 || dial->status == UV_ENOMEM) {
        return dial->status;
    }
    if (dial->failures == 0) {
        return uva__resolve_failed(dial->host, dial->status);
    }
    return uva_fail(dial->status, "%s%s",
                    dial->differ ? "Multiple exceptions: " : "", dial->text);
}

/* The first call: look the host up. A numeric host is connected at once.
 * @return 0 when there is something to wait for. */
static int connect_begin(void **op,
                         const char *host,
                         const char *port,
                         const uva_connection_options_t *options,
                         const uva__direct_ops_t *ops)
{
    uva_loop_t *loop = uva__running();
    uva__addresses_t found = {0};
    uva__name_t name = {.host = host, .port = port};
    dial_t *dial;
    uva__io_t *io;
    int r = uva__task_current() == NULL ? UVA_ENOTASK
                                        : uva__bare(uva__io_get(loop, &io));

    if (r >= 0) {
        r = uva__port_check(port);
    }
    if (r >= 0 && options != NULL && options->local_port != NULL) {
        r = uva__port_check(options->local_port);
    }
    if (r < 0) {
        return r;
    }
    dial = uva__slab_get(&loop->slab, sizeof *dial);
    if (dial == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    memset(dial, 0, sizeof *dial);
    dial->loop = loop;
    dial->host = host;
    uva__list_init(&dial->attempts);
    r = uva__bare(connect_options(dial, options, ops));
    if (r >= 0) {
        name.family = dial->family;
        r = uva__resolve(loop, &name, connect_resolved, dial, &found,
                         &dial->resolve);
    }
    *op = dial;
    if (r > 0) {
        connect_resolved(dial, 0, &found);
        r = dial->done ? connect_result(dial) : 0;
    }
    return r;
}

/* The last call: give the transport out, or close what was opened. */
static int connect_end(void **op, int r, uva_transport_t **ret_transport)
{
    dial_t *dial = *op;

    *op = NULL;
    if (dial == NULL) {
        return r;
    }
    if (dial->winner != NULL) {
        if (r >= 0) {
            uva__transport_open(dial->winner);
            *ret_transport = uva_transport_ref(dial->winner);
        } else {
            uva__transport_discard(dial->winner);
        }
    }
    connect_release(dial);
    return r;
}

int uva__connect_poll(void **op,
                      const char *host,
                      const char *port,
                      const uva_connection_options_t *options,
                      const uva__direct_ops_t *ops,
                      uva_transport_t **ret_transport)
{
    uva_waiter_t *self = uva_waiter_current();
    dial_t *dial;
    int r;

    if (uva_waiter_resumed(self)) {
        /* A cancellation wins over a result that came before it. */
        r = uva_waiter_finish(self);
        r = r < 0 ? r : connect_result(*op);
        return connect_end(op, r, ret_transport);
    }
    r = connect_begin(op, host, port, options, ops);
    if (r < 0) {
        return connect_end(op, r, ret_transport);
    }
    dial = *op;
    dial->waiter = self;
    return uva_waiter_suspend(self, NULL, NULL);
}
