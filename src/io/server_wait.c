/*
 * The calls of a server that wait: start_serving, wait_closed, serve_forever
 * (asyncio.base_events, Server).
 *
 * Invariant: each task that waits here is counted in waiting_count, so the
 * server stays in memory until the task has left, whatever happens to every
 * reference meanwhile. The task that leaves frees the server if it was the
 * last to need it.
 */
#include "io/server.h"

#include "core/owner.h"

/* asyncio: Server.start_serving: an iteration follows, in which the sockets are
 * registered. A cancellation in it does not stop the server. */
int uva_server_start_serving_poll(uva_server_t *server)
{
    int r = 0;

    if (!uva_waiter_resumed(uva_waiter_current())) {
        r = uva__loop_owned(server->loop) ? uva__server_serve(server)
                                          : UV_EPERM;
    }
    return r < 0 ? r : uva_yield_poll();
}

int uva_server_start_serving(uva_server_t *server)
{
    int r;

    UVA_DRIVE(r, uva_server_start_serving, server);
    return r;
}

/* asyncio: Server.wait_closed, as it is from 3.12.1 on: it waits until the
 * server is closed and the last connection is gone, in either order. */
int uva_server_wait_closed_poll(uva_server_t *server)
{
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (!uva_waiter_resumed(self)) {
        if (server->state == UVA__SERVER_CLOSED && server->client_count == 0) {
            return 0;
        }
        r = uva_waiter_suspend(self, &server->loop, &server->waiters);
        server->waiting_count += r == UVA_PENDING;
        return r;
    }
    r = uva_waiter_finish(self);
    server->waiting_count--;
    uva__server_maybe_free(server);
    return r;
}

int uva_server_wait_closed(uva_server_t *server)
{
    int r;

    UVA_DRIVE(r, uva_server_wait_closed, server);
    return r;
}

/* Stages of serve_forever. */
enum {
    FOREVER_SERVES, /* Until it is cancelled, or the server is closed. */
    FOREVER_WAITS   /* For the last connection; in server->waiters. */
};

/* The first call of serve_forever. One task at a time may be in it. asyncio:
 * Server.serve_forever raises RuntimeError for a second one. */
static int forever_begin(uva_server_t *server, uva_waiter_t *self)
{
    int r;

    if (server->forever != NULL) {
        return uva__bare(UV_EPERM);
    }
    r = uva__server_serve(server);
    if (r >= 0) {
        r = uva_waiter_suspend(self, &server->loop, NULL);
    }
    if (r == UVA_PENDING) {
        server->forever = self;
        server->waiting_count++;
    }
    return r;
}

/* The last call: UV_ECANCELED however it ended. asyncio: Server.close cancels
 * the future that serve_forever awaits, so it can only end by CancelledError.
 */
static int forever_end(uva_server_t *server, uva_waiter_t *self)
{
    uva_waiter_set_stage(self, FOREVER_SERVES);
    server->waiting_count--;
    uva__server_maybe_free(server);
    return UV_ECANCELED;
}

/*
 * Stages: it serves until it is cancelled or the server is closed; then it
 * closes the server, and waits until the last connection is gone.
 */
int uva_server_serve_forever_poll(uva_server_t *server)
{
    uva_waiter_t *self = uva_waiter_current();

    if (!uva_waiter_resumed(self)) {
        return uva__loop_owned(server->loop) ? forever_begin(server, self)
                                             : UV_EPERM;
    }
    /* The result is dropped: a cancellation and a closed server end alike. */
    UVA_IGNORE(uva_waiter_finish(self));
    if (uva_waiter_get_stage(self) == FOREVER_WAITS) {
        return forever_end(server, self);
    }
    server->forever = NULL;
    uva_server_close(server);
    if (server->client_count > 0) {
        uva_waiter_set_stage(self, FOREVER_WAITS);
        return uva_waiter_suspend(self, NULL, &server->waiters);
    }
    return forever_end(server, self);
}

int uva_server_serve_forever(uva_server_t *server)
{
    int r;

    UVA_DRIVE(r, uva_server_serve_forever, server);
    return r;
}
