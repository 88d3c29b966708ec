/*
 * Opening a connection (asyncio.base_events, create_connection and
 * _connect_sock; asyncio.staggered).
 *
 * An operation, the dial, looks up the host, then the local host, then tries
 * the addresses; a path is one address, a descriptor is connected already. An
 * attempt is a medium that connects. The next attempt starts when one has
 * failed or, with a delay, when the delay has passed.
 *
 * Invariant: look-ups point to the dial and the dial to them, so each can end
 * without the other; libuv never holds memory of the dial. At most one medium
 * outlives it: the winner's. A dial that is done has no attempt.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/format.h"
#include "core/owner.h"
#include "core/timers.h"
#include "io/medium_filter.h"
#include "io/medium_memory.h"
#include "io/network.h"
#include "io/opening.h"
#include "io/resolver.h"
#include "io/service.h"
#include "io/sockets.h"
#include "io/stream_transport.h"

#define TEXT_BYTES 512 /* Of the text that names all failures. */

typedef struct uva__dial_s {
    uva_loop_t *loop;     /* Borrowed. */
    uva_waiter_t *waiter; /* Borrowed: of the task that waits. NULL in the
                             first call, in which the dial may be done. */
    uva__transport_kind_t kind;
    uint64_t delay_ns;   /* Until the next attempt; 0: only after a failure. */
    unsigned interleave; /* As uva_connection_options_t has it. */
    uva_testing_network_t *network;  /* Borrowed: of the loop; NULL: sockets. */
    const uva_filter_kind_t *filter; /* Borrowed; NULL without one. */
    const char *filter_host;         /* Borrowed. */
    const char *host;                /* Borrowed: the name that is looked up. */
    int family;                      /* AF_UNSPEC, AF_INET, AF_INET6. */
    const char *local_host;          /* Borrowed. */
    const char *local_port;          /* Borrowed. */
    uva__resolve_t *resolve;         /* In flight, or NULL. */
    uva__addresses_t remote;         /* To connect to. */
    uva__addresses_t local;          /* To connect from. */
    size_t next;                     /* Of remote: the next one to try. */
    uva_list_t attempts;             /* Of attempt_t.link. */
    uva__timer_t timer;              /* Runs for delay_ns. */
    uva_transport_t *winner;         /* Owned; counted once it is opened. */
    uint8_t turns;   /* Iterations since it was opened, from 1 on; else 0. */
    bool done;       /* status is the result. */
    int status;      /* The first failure. */
    bool differ;     /* Not all failures were alike. */
    size_t failures; /* Attempts that failed. */
    size_t text_bytes;
    char text[TEXT_BYTES]; /* The failures, in order. */
} dial_t;

/* A socket that connects. It counts as an operation of the loop. */
typedef struct attempt_s {
    uva_list_t link;                /* Of dial_t.attempts. */
    dial_t *dial;                   /* Borrowed: it owns this. */
    uva__medium_t *medium;          /* Owned. */
    const uva__sockaddr_t *address; /* Borrowed: of dial->remote. */
} attempt_t;

static void connect_next(dial_t *dial);

/* The attempt is over; its medium was closed, or has gone to a transport. */
static void attempt_free(attempt_t *attempt)
{
    uva_loop_t *loop = attempt->dial->loop;

    uva__list_remove(&attempt->link);
    uva__slab_put(&loop->slab, attempt, sizeof *attempt);
    uva__loop_op_end(loop);
}

static void attempt_drop(attempt_t *attempt)
{
    attempt->medium->ops->close(attempt->medium, attempt->dial->loop);
    attempt_free(attempt);
}

static void connect_drop_attempts(dial_t *dial)
{
    while (!uva__list_empty(&dial->attempts)) {
        attempt_drop(UVA__LIST_FIRST(&dial->attempts, attempt_t, link));
    }
}

/* --- ending --- */

/* Free the dial; a look-up or attempt that is still under way ends unheard. */
static void connect_release(dial_t *dial)
{
    uva_loop_t *loop = dial->loop;

    if (dial->resolve != NULL) {
        uva__resolve_cancel(dial->resolve);
    }
    uva__timer_stop(loop, &dial->timer);
    connect_drop_attempts(dial);
    uva__addresses_clear(&dial->remote);
    uva__addresses_clear(&dial->local);
    uva__slab_put(&loop->slab, dial, sizeof *dial);
}

/* The dial has its result: wake the task, if it waits already. */
static void connect_done(dial_t *dial, int status)
{
    dial->done = true;
    dial->status = status;
    uva__timer_stop(dial->loop, &dial->timer);
    if (dial->waiter != NULL) {
        (void)uva_waiter_wake(dial->waiter);
    }
}

/* Keep a failed attempt for the result: its code, and its text. asyncio:
 * base_events.py, create_connection: one exception if all say the same, else an
 * OSError that names all. A text that is too long is cut. */
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
static void connect_won(attempt_t *attempt)
{
    dial_t *dial = attempt->dial;
    uva__medium_t *medium = attempt->medium;
    uva__sockaddr_t peer;
    int r;

    /* "0.0.0.0" and "::" connect to one of this host's addresses: ask which. */
    if (dial->network != NULL) {
        peer = uva__network_reached(attempt->address);
    } else if (uva__sockaddr_of_peer(medium->ops->fileno(medium), &peer) < 0) {
        peer = *attempt->address;
    }
    (void)medium->ops->watch(medium, 0);
    attempt_free(attempt);
    r = dial->network != NULL ? 0 : uva__medium_settle(dial->loop, &medium);
    if (r >= 0) {
        r = uva__transport_new(dial->loop, &dial->kind, medium, &peer, NULL,
                               &dial->winner);
    }
    connect_done(dial, r);
    connect_drop_attempts(dial);
}

/* An attempt has ended. The medium says only that it has; the socket's error
 * says how. asyncio: selector_events.py, _sock_connect_cb. */
static void connect_ready(void *upper, int events)
{
    attempt_t *attempt = upper;
    uva__medium_t *medium = attempt->medium;
    dial_t *dial = attempt->dial;
    int r = dial->network != NULL
                ? uva__medium_memory_status(medium)
                : uva__socket_error(medium->ops->fileno(medium));

    if (r == 0 && events >= 0) { /* Negative: libuv's own failure. */
        connect_won(attempt);
        return;
    }
    connect_note(dial, attempt->address, r < 0 ? r : events);
    attempt_drop(attempt); /* Before connect_next, which asks whether an attempt
                              is left. */
    connect_next(dial);
}

/* Begin to connect a medium. */
static int connect_medium(const dial_t *dial,
                          const uva__sockaddr_t *address,
                          uva__medium_t **ret_medium)
{
    int fd;

    if (dial->network != NULL) {
        return uva__network_connect(dial->network, dial->loop, address,
                                    &dial->local, ret_medium);
    }
    fd = uva__socket_connect(address, &dial->local);
    return fd < 0 ? fd : uva__medium_socket(dial->loop, fd, ret_medium);
}

/* Start an attempt. A connect that is through at once is told by the medium
 * like any other. A unix socket whose backlog is full answers UV_EAGAIN, and
 * nothing tells when it has room: that is a failure. asyncio waits until the
 * socket is writable, which it is at once, and gives out a connection that is
 * none (selector_events.py, _sock_connect). */
static int connect_start(dial_t *dial, const uva__sockaddr_t *address)
{
    attempt_t *attempt = uva__slab_get(&dial->loop->slab, sizeof *attempt);
    int r = attempt == NULL ? UV_ENOMEM
                            : connect_medium(dial, address, &attempt->medium);

    if (r < 0) {
        if (attempt != NULL) {
            uva__slab_put(&dial->loop->slab, attempt, sizeof *attempt);
        }
        return r;
    }
    attempt->dial = dial;
    attempt->address = address;
    uva__loop_op_begin(dial->loop); /* Ends in attempt_free. */
    uva__list_append(&dial->attempts, &attempt->link);
    uva__medium_give(attempt->medium, connect_ready, attempt);
    r = attempt->medium->ops->watch(attempt->medium, UV_WRITABLE);
    if (r < 0) {
        attempt_drop(attempt);
    }
    return r;
}

/* The delay has passed: try the next address beside the ones under way. */
static void connect_fire(uva__timer_t *timer)
{
    connect_next(UVA__CONTAINER_OF(timer, dial_t, timer));
}

/* Start the next attempt; attempts that fail at once are noted and passed over.
 * With none left and none under way, the dial is done. asyncio: staggered.py,
 * staggered_race: a failure starts the next one without waiting for the delay.
 */
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
            /* Without memory for the timer the next one waits for a failure. */
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

/* The local addresses are known, or none were asked for: begin to connect. */
static void
connect_resolved_local(void *data, int status, uva__addresses_t *take_addresses)
{
    dial_t *dial = data;

    dial->resolve = NULL; /* It is answered: nothing to cancel. */
    if (status < 0) {
        connect_done(dial, status);
        return;
    }
    dial->local = *take_addresses;
    uva__addresses_interleave(&dial->remote, dial->interleave);
    connect_next(dial);
}

/* The addresses of the host are known: look up the local host, if there is one.
 */
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
        name.port = "0"; /* The system chooses one. */
    }
    dial->host = name.host; /* For the text of a failure. */
    r = uva__resolve(dial->loop, &name, connect_resolved_local, dial, &local,
                     &dial->resolve);
    if (r != 0) {
        connect_resolved_local(dial, r < 0 ? r : 0, &local);
    }
}

/* --- paths and descriptors --- */

/* A unix socket is an address like others, with no name to look up. */
static int connect_path(dial_t *dial, const char *path)
{
    int r = uva__addresses_unix(path, &dial->remote);

    if (r >= 0) {
        connect_next(dial);
    }
    return r;
}

/* A descriptor is connected already: it wins. */
static int connect_descriptor(dial_t *dial, const uva__target_t *target)
{
    bool writes = target->kind == UVA__TARGET_WRITE_PIPE;
    uva__sockaddr_t peer;
    uva__medium_t *medium;
    int r;

    if (uva__sockaddr_of_peer(target->fd, &peer) < 0) {
        peer.any.sa_family = AF_UNSPEC; /* It has left, or has no address. */
    }
    r = target->kind == UVA__TARGET_FD
            ? uva__medium_connected(dial->loop, target->fd, &medium)
            : uva__medium_pipe(dial->loop, target->fd, writes, &medium);
    if (r >= 0) {
        r = uva__transport_new(dial->loop, &dial->kind, medium, &peer, NULL,
                               &dial->winner);
    }
    if (r >= 0) {
        connect_done(dial, 0);
    }
    return r;
}

/* --- the operation --- */

/* Check the options and keep them; NULL stands for the defaults. */
static int connect_options(dial_t *dial,
                           const uva_connection_options_t *options,
                           const uva__factory_t *factory)
{
    uva_connection_options_t has;
    int r;

    if (options == NULL) {
        return uva__transport_kind(&dial->kind, factory, 0, 0, 0, 0);
    }
    if (!uva__options_copy(&has, sizeof has,
                           offsetof(uva_connection_options_t, close_timeout_ns),
                           options) ||
        has.family > UVA_FAMILY_IPV6 || !uva__filter_kind_fits(has.filter)) {
        return UV_EINVAL;
    }
    dial->delay_ns = has.happy_eyeballs_delay_ns;
    dial->interleave = has.interleave;
    /* asyncio: base_events.py, create_connection. */
    if (dial->interleave == 0 && dial->delay_ns > 0) {
        dial->interleave = 1;
    }
    dial->family = uva__family(has.family);
    dial->local_host = has.local_host;
    dial->local_port = has.local_port;
    dial->filter = has.filter;
    dial->filter_host = has.filter_host;
    r = uva__transport_kind(&dial->kind, factory, has.limit_bytes,
                            has.high_bytes, has.low_bytes,
                            has.close_timeout_ns);
    dial->kind.most_fds = has.receive_fds;
    return r;
}

/* The result of a dial that is done, with a text that names its attempts or the
 * name that was not found. UV_ENOMEM has none, as a text would need memory. */
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

/* Make the dial, and check its options. */
static int connect_new(void **op,
                       const uva__target_t *target,
                       const uva_connection_options_t *options,
                       const uva__factory_t *factory)
{
    uva_loop_t *loop = uva__running();
    uva__io_t *io;
    dial_t *dial;
    int r = loop == NULL                       ? UVA_ENOLOOP
            : target->kind == UVA__TARGET_HOST ? uva__io_get_hosts(loop, &io)
                                               : uva__io_get_sockets(loop, &io);

    if (r < 0) {
        return uva__bare(r);
    }
    dial = uva__slab_get(&loop->slab, sizeof *dial);
    if (dial == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    memset(dial, 0, sizeof *dial);
    dial->loop = loop;
    dial->network = io->network;
    uva__list_init(&dial->attempts);
    *op = dial; /* On failure too: connect_end frees it. */
    return uva__bare(connect_options(dial, options, factory));
}

/* Look the host up; a numeric one is connected at once. The local names are
 * checked here too: a bad one fails the call at once, and not after a time that
 * depends on a resolver. */
static int connect_host(dial_t *dial, const char *host, const char *port)
{
    uva__addresses_t found = {0};
    uva__name_t name = {.host = host, .port = port, .family = dial->family};
    int r = uva__name_check(dial->local_host,
                            dial->local_port == NULL ? "0" : dial->local_port);

    dial->host = host;
    dial->filter_host = dial->filter_host == NULL ? host : dial->filter_host;
    if (r >= 0) {
        r = uva__resolve(dial->loop, &name, connect_resolved, dial, &found,
                         &dial->resolve);
    }
    if (r > 0) { /* Numeric. */
        connect_resolved(dial, 0, &found);
    }
    return r < 0 ? r : 0;
}

/* The first call. @return 0 when there is something to wait for, or when the
 * dial is done. */
static int connect_begin(void **op,
                         const uva__target_t *target,
                         const uva_connection_options_t *options,
                         const uva__factory_t *factory)
{
    bool is_fd = target->kind >= UVA__TARGET_FD;
    bool waits = !is_fd || factory->ops->hears_connect;
    int r = waits && uva__task_current() == NULL
                ? UVA_ENOTASK
                : connect_new(op, target, options, factory);

    if (r >= 0 && !waits && ((dial_t *)*op)->filter != NULL) {
        r = uva__bare(UV_EINVAL); /* Nobody would wait for it. */
    }
    if (r >= 0 && target->kind == UVA__TARGET_FD) {
        r = uva__socket_adopt(target->fd, false);
    }
    if (r < 0) {
        if (is_fd) {
            close(target->fd);
        }
        return r;
    }
    if (is_fd) {
        return connect_descriptor(*op, target);
    }
    return target->kind == UVA__TARGET_PATH
               ? connect_path(*op, target->name)
               : connect_host(*op, target->name, target->port);
}

/* The last call, with its result r: give the winner out, or close it, as a
 * cancelled task could not. Frees the dial, if there is one. */
static int connect_end(void **op, int r, uva_transport_t **ret_transport)
{
    dial_t *dial = *op;

    *op = NULL;
    if (dial == NULL) {
        return r;
    }
    if (r >= 0) {
        *ret_transport = dial->winner;
    } else if (dial->turns > 0) { /* asyncio: create_connection, its except. */
        if (dial->filter != NULL && !dial->winner->made) {
            uva__opening_abandon(dial->winner);
        } else {
            uva_transport_close(dial->winner);
        }
        (void)uva_transport_unref(dial->winner);
    } else if (dial->winner != NULL) {
        uva__transport_discard(dial->winner);
    }
    connect_release(dial);
    return r;
}

static void connect_on_phase(void *data)
{
    dial_t *dial = data;

    uva__transport_push(dial->winner); /* Before the task: it is told first. */
    (void)uva_waiter_wake(dial->waiter);
}

/* Begin with a filter. @return 0 when ready, UVA_PENDING, or its code. */
static int connect_filter(dial_t *dial)
{
    uva_transport_t *winner = dial->winner;
    int r =
        dial->turns > 0
            ? 0
            : uva__opening_connect(uva_transport_ref(winner), dial->filter,
                                   dial->filter_host, connect_on_phase, dial);

    dial->turns = 1;
    if (r >= 0 && !winner->made && winner->state >= UVA__TRANSPORT_LOST) {
        r = winner->status < 0 ? winner->status : UV_ECONNABORTED;
    }
    if (r < 0 || winner->made) {
        return uva__bare(r);
    }
    r = uva_waiter_suspend(dial->waiter, NULL, NULL);
    if (winner->queued) { /* Its node goes on: behind it. */
        (void)uva_waiter_wake(dial->waiter);
    }
    return r;
}

/* The task goes on with a connection. It is opened here and not when it won:
 * until now no task would have taken its bytes or heard of its loss. If the
 * consumer hears connection_made, that comes before the task goes on: asyncio's
 * create_connection waits for a future that is set behind it.
 * @return 0, or UVA_PENDING while there is something to wait for. */
static int connect_open(dial_t *dial)
{
    int r = 0;

    if (dial->filter != NULL) {
        return connect_filter(dial);
    }
    if (dial->turns == 0) {
        uva__transport_open(uva_transport_ref(dial->winner));
    }
    if (dial->kind.factory.ops->hears_connect && dial->turns < 2) {
        r = uva_waiter_suspend(dial->waiter, NULL, NULL);
        (void)uva_waiter_wake(dial->waiter);
    }
    dial->turns++;
    return r;
}

int uva__connect_poll(void **op,
                      const uva__target_t *target,
                      const uva_connection_options_t *options,
                      const uva__factory_t *factory,
                      uva_transport_t **ret_transport)
{
    uva_waiter_t *self = uva_waiter_current();
    dial_t *dial;
    int r;

    if (*op != NULL) {
        /* A cancellation wins over a result that came before the task ran. */
        r = uva_waiter_finish(self);
    } else {
        r = connect_begin(op, target, options, factory);
        dial = *op;
        if (r >= 0) {
            dial->waiter = self;
        }
        if (r >= 0 && !dial->done) { /* All attempts may have failed already. */
            return uva_waiter_suspend(self, NULL, NULL);
        }
    }
    r = r < 0 ? r : connect_result(*op);
    r = r < 0 ? r : connect_open(*op);
    return r == UVA_PENDING ? r : connect_end(op, r, ret_transport);
}
