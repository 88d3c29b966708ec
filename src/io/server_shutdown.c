/*
 * Shutting a server down, and the wait of its handlers for that (asyncio has
 * neither: its programs close, wait with a timeout, and abort).
 *
 * Invariant: the timer runs, and transports stand in server->served, only while
 * a task is in shutdown; the last one to leave ends both.
 */
#include "core/names.h"
#include "core/owner.h"
#include "core/timers.h"
#include "core/waiters.h"
#include "io/server.h"

#include "base/log.h"

/* Iterations in which handlers see that their connections are gone: a drain
 * needs two, and a clean-up some. */
#define HANDLER_TURNS 16

/* --- wait_closing --- */

int uva_server_wait_closing_poll(uva_server_t *server)
{
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (!uva_waiter_resumed(self)) {
        if (server->state == UVA__SERVER_CLOSED) {
            return 0;
        }
        r = uva_waiter_suspend(self, &server->loop, &server->closers);
        server->waiting_count += r == UVA_PENDING;
        return r;
    }
    r = uva_waiter_finish(self);
    server->waiting_count--;
    uva__server_maybe_free(server);
    return r;
}

int uva_server_wait_closing(uva_server_t *server)
{
    int r;

    UVA_DRIVE(r, uva_server_wait_closing, server);
    return r;
}

/* --- shutdown --- */

/* Abort what is left. Connections that are lost already are not counted. */
static void shutdown_abort(uva_server_t *server)
{
    UVA__LIST_FOREACH_SAFE(client, &server->clients, uva_transport_t, link)
    {
        if (client->state < UVA__TRANSPORT_LOST) {
            server->aborted_count++;
            uva_transport_abort(client);
        }
    }
}

static void shutdown_grace_over(uva__timer_t *timer)
{
    shutdown_abort(UVA__CONTAINER_OF(timer, uva_server_t, grace));
}

/* Let the grace end after grace_ns, unless it ends before. A task that was
 * promised an earlier end gets it: if the timer cannot be started anew, the
 * grace is over. */
static int shutdown_limit(uva_server_t *server, uint64_t grace_ns)
{
    uva_loop_t *loop = server->loop;
    uint64_t end_ns = uva__loop_deadline(loop, grace_ns);
    int r;

    if (end_ns >= server->grace_end_ns) {
        return 0;
    }
    uva__timer_stop(loop, &server->grace);
    r = uva__timer_start(loop, &server->grace, end_ns, shutdown_grace_over);
    if (r < 0 && server->grace_end_ns != UVA_FOREVER) {
        shutdown_abort(server);
        r = 0;
    }
    if (r >= 0) {
        server->grace_end_ns = end_ns;
    }
    return r;
}

/* The first call. Whatever can fail comes before the server is closed. */
static int
shutdown_begin(uva_server_t *server, uva_waiter_t *self, uint64_t grace_ns)
{
    int r = 0;

    if (self == NULL) {
        return uva__bare(UVA_ENOTASK);
    }
    if (uva__task_current()->base.loop != server->loop) {
        return uva__bare(UVA_EWRONGLOOP);
    }
    if (server->client_count > 0 && grace_ns > 0) {
        r = uva__bare(shutdown_limit(server, grace_ns));
    }
    if (r < 0) {
        return r;
    }
    uva_server_close(server);
    if (server->client_count == 0) {
        return (int)server->aborted_count;
    }
    if (grace_ns == 0) {
        shutdown_abort(server);
    }
    r = uva_waiter_suspend(self, &server->loop, &server->waiters);
    server->waiting_count++;
    server->shutting_count++;
    return r;
}

/* The handlers that have not ended though their connections are gone. */
static size_t shutdown_left(uva_server_t *server,
                            const uva__handler_t **ret_first)
{
    size_t count = 0;

    UVA__LIST_FOREACH (client, &server->served, uva_transport_t, link) {
        const uva__handler_t *handler = client->handler;
        if (handler != NULL && !uva_future_done(UVA_FUTURE(handler->task))) {
            *ret_first = handler;
            count++;
        }
    }
    return count;
}

/* All connections are gone: let their handlers see it, then tell of those that
 * go on. @return Whether to wait for another iteration. */
static bool shutdown_waits_on(uva_server_t *server, uva_waiter_t *self)
{
    const uva__handler_t *first = NULL;
    size_t count = shutdown_left(server, &first);
    int32_t turns = uva_waiter_get_value(self);

    if (count > 0 && turns < HANDLER_TURNS) {
        uva_waiter_set_value(self, turns + 1);
        return true;
    }
    if (count > 0) {
        uva__log(UVA_LOG_WARNING,
                 "a server is shut down, and %zu of its handlers go on without "
                 "a connection, one of them %s",
                 count, uva__task_function(first->task));
    }
    return false;
}

/* The last call, with its result. */
static int shutdown_end(uva_server_t *server, uva_waiter_t *self, int r)
{
    uva_waiter_set_value(self, 0);
    server->shutting_count--;
    if (server->shutting_count == 0) {
        uva__timer_stop(server->loop, &server->grace);
        server->grace_end_ns = UVA_FOREVER;
        while (!uva__list_empty(&server->served)) {
            uva_transport_t *client =
                UVA__LIST_FIRST(&server->served, uva_transport_t, link);
            uva__list_remove(&client->link);
            (void)uva_transport_unref(client);
        }
    }
    server->waiting_count--;
    uva__server_maybe_free(server);
    return r;
}

/* The task was woken: the last connection is gone, an iteration is over, or the
 * task was cancelled. */
static int shutdown_go_on(uva_server_t *server, uva_waiter_t *self)
{
    int r = uva_waiter_finish(self);

    if (r < 0) {
        shutdown_abort(server);
        return shutdown_end(server, self, r);
    }
    if (shutdown_waits_on(server, self)) {
        r = uva_waiter_suspend(self, NULL, NULL);
        (void)uva_waiter_wake(self);
        return r;
    }
    return shutdown_end(server, self, (int)server->aborted_count);
}

int uva_server_shutdown_poll(uva_server_t *server, uint64_t grace_ns)
{
    uva_waiter_t *self = uva_waiter_current();

    if (uva_waiter_resumed(self)) {
        return shutdown_go_on(server, self);
    }
    return uva__loop_owned(server->loop)
               ? shutdown_begin(server, self, grace_ns)
               : UV_EPERM;
}

int uva_server_shutdown(uva_server_t *server, uint64_t grace_ns)
{
    int r;

    UVA_DRIVE(r, uva_server_shutdown, server, grace_ns);
    return r;
}
