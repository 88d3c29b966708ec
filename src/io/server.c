/*
 * Servers: sockets that listen, and their clients (asyncio.base_events,
 * Server and create_server; asyncio.selector_events, _accept_connection).
 *
 * The sockets are watched by uv_poll_t, not by uv_listen: without descriptors
 * libuv closes the connections that wait, silently (its emfile trick), or
 * spins. Here a failure that is not a client's is reported, and nothing is
 * accepted for a second.
 *
 *   state    listens   left by
 *   BOUND    no        start_serving, close
 *   SERVING  yes       close; it pauses without descriptors, and while it has
 *                      its most connections
 *   CLOSED   no        never
 *
 * Invariant: a server is in memory while a user has a reference, it is not
 * CLOSED, a client is not CLOSED, a handle or a report is on its way, or a task
 * waits for it. Its sockets are watched exactly while it is SERVING, not full,
 * and not in the second after a failure.
 */
#include "io/server.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "core/driver_uv_close.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/timers.h"
#include "io/opening.h"
#include "io/sockets.h"
#include "io/stream_transport.h"

/* asyncio: constants.py, ACCEPT_RETRY_DELAY. */
#define ACCEPT_RETRY_NS UVA_SEC(1)

/* --- freeing --- */

void uva__server_maybe_free(uva_server_t *server)
{
    uva_loop_t *loop = server->loop;

    if (server->refs > 0 || server->state != UVA__SERVER_CLOSED ||
        server->client_count > 0 || server->handle_count > 0 ||
        server->report_count > 0 || server->waiting_count > 0) {
        return;
    }
    /* After the last client: handlers use what data holds. */
    if (server->destroy != NULL) {
        server->destroy(server->owner.data);
    }
    uva__slab_put(&loop->slab, server, uva__server_bytes(server->made_count));
    if (loop->closed) {
        uva__loop_maybe_free(loop);
    }
}

uva_server_t *uva_server_ref(uva_server_t *server)
{
    if (server != NULL && uva__loop_owned(server->loop)) {
        uva_loop_t *entered = uva__loop_enter(server->loop);
        server->refs++;
        uva__loop_leave(entered);
    }
    return server;
}

/* Drop a user's reference. The last one closes the server: nobody could do it
 * later. asyncio's loop keeps a server that nobody refers to. */
static void server_drop(uva_server_t *server)
{
    if (server->refs == 1 && server->state != UVA__SERVER_CLOSED) {
        if (server->loop->debug.enabled) {
            uva__log(UVA_LOG_WARNING, "a server was not closed");
        }
        uva_server_close(server);
    }
    server->refs--; /* After the close, which must not free the server. */
    uva__server_maybe_free(server);
}

uva_server_t *uva_server_unref(uva_server_t *server)
{
    if (server != NULL && uva__loop_owned(server->loop)) {
        uva_loop_t *entered = uva__loop_enter(server->loop);
        server_drop(server);
        uva__loop_leave(entered);
    }
    return NULL;
}

/* --- accepting --- */

static void listener_watch(uva__listener_t *listener, bool wanted);
static void server_watch(uva_server_t *server);

/* Lack of a resource of the system: the connection still waits, so that the
 * next accept would fail too. asyncio: selector_events.py, _accept_connection.
 */
static bool listener_code_is_scarcity(int code)
{
    return code == UV_EMFILE || code == UV_ENFILE || code == UV_ENOBUFS ||
           code == UV_ENOMEM;
}

/* Failures of one connection: it is out of the backlog, and the next accept is
 * about the next one. accept(2), "Error handling", asks for a new try. */
static bool listener_code_is_the_clients(int code)
{
    return code == UV_ECONNABORTED || code == UV_EPROTO ||
           code == UV_ENETDOWN || code == UV_ENOPROTOOPT ||
           code == UV_EHOSTDOWN || code == UV_ENONET ||
           code == UV_EHOSTUNREACH || code == UV_ENETUNREACH ||
           code == UV_ETIMEDOUT;
}

/* Report a failed accept to the exception handler. drop does the same: a count
 * that stayed would keep the server in memory. */
static void listener_report(uva__ready_t *ready)
{
    uva__listener_t *listener =
        UVA__CONTAINER_OF(ready, uva__listener_t, report);
    uva_server_t *server = listener->server;
    uva_exception_t exception = {
        .size = sizeof exception,
        .message = listener_code_is_scarcity(listener->code)
                       ? "socket.accept() out of system resource"
                       : "socket.accept() failed",
        .code = listener->code,
    };

    listener->reporting = false;
    uva_loop_call_exception_handler(server->loop, &exception);
    server->report_count--;
    uva__server_maybe_free(server);
}

static const uva__ready_ops_t report_ops = {.run = listener_report,
                                            .drop = listener_report};

/* The second without accepting is over. server_watch and not listener_watch:
 * the server may have become full meanwhile. */
static void listener_retry(uva__timer_t *timer)
{
    server_watch(UVA__CONTAINER_OF(timer, uva__listener_t, timer)->server);
}

/*
 * An accept has failed: pause for a second, or the socket, which stays
 * readable, would spin the loop. The report goes through the ready queue, as a
 * user's exception handler must not run inside the poll. Without memory for the
 * timer there is no pause. asyncio: selector_events.py, _accept_connection.
 */
static void listener_failed(uva__listener_t *listener, int code)
{
    uva_server_t *server = listener->server;
    uva_loop_t *loop = server->loop;

    listener->code = code;
    if (uva__timer_start(loop, &listener->timer,
                         uva__loop_deadline(loop, ACCEPT_RETRY_NS),
                         listener_retry) >= 0) {
        listener_watch(listener, false);
    }
    if (!listener->reporting) {
        listener->reporting = true;
        server->report_count++;
        uva__loop_push(loop, &listener->report);
    }
}

/* The transport becomes a client, and will hear connection_made. */
static void server_accepted(uva_server_t *server, uva_transport_t *transport)
{
    uva__list_append(&server->clients, &transport->link);
    server->client_count++;
    if (server->owner.filter == NULL) {
        uva__transport_open(transport);
    } else {
        uva__opening_accept(transport);
    }
}

static bool server_is_full(const uva_server_t *server)
{
    return server->client_count >= server->max_connections;
}

/* Watch the sockets exactly while the server may accept. To be called after
 * each change of its state or of its count of clients. */
static void server_watch(uva_server_t *server)
{
    bool wanted =
        server->state == UVA__SERVER_SERVING && !server_is_full(server);

    for (size_t i = 0; i < server->listener_count; i++) {
        listener_watch(&server->listeners[i], wanted);
    }
}

/* Accept no more; a client that leaves lets it go on. Connections beyond the
 * limit stay in the system's backlog. Logged once: a peer can cause it at will.
 */
static void server_full(uva_server_t *server)
{
    if (!server->full_logged) {
        server->full_logged = true;
        uva__log(UVA_LOG_WARNING,
                 "a server has its most connections, %zu: the others wait "
                 "(%s)",
                 server->max_connections, uva_err_name(UV_EAGAIN));
    }
    server_watch(server);
}

/* Take one connection. @return 0, UV_EAGAIN when none waits, or a code. */
static int listener_accept_one(uva__listener_t *listener,
                               uva__sockaddr_t *ret_peer,
                               uva__medium_t **ret_medium)
{
    int fd;

    if (listener->binding != NULL) {
        return uva__binding_accept(listener->binding, ret_peer, ret_medium);
    }
    fd = uva__socket_accept(listener->fd, ret_peer);
    return fd < 0
               ? fd
               : uva__medium_connected(listener->server->loop, fd, ret_medium);
}

/* Accept what waits, at most as many connections as the backlog holds and one
 * more: a busy server leaves other sockets their turn. asyncio:
 * selector_events.py, _accept_connection, which also ends at ECONNABORTED. */
static void listener_accept(void *data)
{
    uva__listener_t *listener = data;
    uva_server_t *server = listener->server;

    for (int i = 0; i <= server->backlog_count; i++) {
        uva_transport_t *transport;
        uva__medium_t *medium;
        uva__sockaddr_t peer = {.any = {.sa_family = AF_UNSPEC}};
        int r = listener_accept_one(listener, &peer, &medium);
        if (r == UV_EAGAIN) {
            break;
        }
        if (listener_code_is_the_clients(r)) {
            continue; /* The peer was gone before its turn came. */
        }
        if (r >= 0) {
            r = uva__transport_new(server->loop, &server->kind, medium, &peer,
                                   &server->owner, &transport);
        }
        if (r < 0) {
            listener_failed(listener, r);
            break;
        }
        server_accepted(server, transport);
        if (server_is_full(server)) {
            server_full(server);
            break;
        }
    }
}

static void listener_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva__listener_t *listener = UVA__CONTAINER_OF(poll, uva__listener_t, poll);

    (void)events;
    if (status < 0) {
        /* libuv has stopped the poll. accept tells what is wrong. */
        listener->watched = false;
    }
    listener_accept(listener);
    /* Start the poll again, unless listener_failed has paused it. */
    if (status < 0 && listener->timer.state == 0) {
        listener_watch(listener, !server_is_full(listener->server));
    }
}

/* Start or stop watching a socket; not while it pauses after a failure. */
static void listener_watch(uva__listener_t *listener, bool wanted)
{
    if (wanted && (listener->server->state != UVA__SERVER_SERVING ||
                   listener->timer.state != 0)) {
        return;
    }
    if (wanted == listener->watched) {
        return;
    }
    listener->watched = wanted;
    if (listener->binding != NULL) {
        uva__binding_watch(listener->binding, wanted);
        return;
    }
    if (uv_is_closing((const uv_handle_t *)&listener->poll)) {
        return; /* The host has closed it; uva__servers_look ends the server. */
    }
    if (wanted) {
        (void)uv_poll_start(&listener->poll, UV_READABLE, listener_poll_cb);
    } else {
        (void)uv_poll_stop(&listener->poll);
    }
}

/* Only here a listener is the server's: uva_server_close closes the first
 * listener_count of them. */
static void
listener_add(uva__listener_t *listener, uva_server_t *server, int fd)
{
    listener->server = server;
    listener->fd = fd;
    listener->report.ops = &report_ops;
    server->listener_count++;
}

int uva__listener_bind(uva__listener_t *listener,
                       uva_server_t *server,
                       uva_testing_network_t *network,
                       const uva__sockaddr_t *address)
{
    int r = uva__network_bind(network, server->loop, address, listener_accept,
                              listener, &listener->binding);

    if (r >= 0) {
        listener_add(listener, server, -1);
    }
    return r;
}

int uva__listener_init(uva__listener_t *listener, uva_server_t *server, int fd)
{
    uv_loop_t *uv = uva__loop_uv(server->loop);
    int r = uv == NULL ? UV_ECANCELED : uv_poll_init(uv, &listener->poll, fd);

    if (r < 0) {
        return r;
    }
    listener_add(listener, server, fd);
    server->handle_count++;
    return 0;
}

/* --- clients --- */

/* Wake the tasks in wait_closed once the server is closed and has no client.
 * asyncio: base_events.py, Server._wakeup, from close and from _detach. */
static void server_wake(uva_server_t *server)
{
    if (server->state == UVA__SERVER_CLOSED && server->client_count == 0) {
        UVA__LIST_FOREACH (waiter, &server->waiters, uva_waiter_t, link) {
            (void)uva_waiter_wake(waiter);
        }
    }
}

/* The loop knows a server until it is closed and its last client has left: a
 * loop that ends aborts the clients of a closed server too. */
static void server_maybe_leave(uva_server_t *server)
{
    if (server->state == UVA__SERVER_CLOSED && server->client_count == 0) {
        uva__list_remove(&server->link);
    }
}

/* asyncio: base_events.py, Server._detach. */
void uva__server_client_left(uva_transport_t *transport)
{
    uva_server_t *server =
        UVA__CONTAINER_OF(transport->owner, uva_server_t, owner);

    transport->owner = NULL;
    server->client_count--;
    if (server->shutting_count > 0 && transport->handler != NULL) {
        transport->refs++;
        uva__list_append(&server->served, &transport->link);
    }
    server_maybe_leave(server);
    if (server->state == UVA__SERVER_SERVING) {
        server_watch(server); /* It may have been full. */
    }
    server_wake(server);
    uva__server_maybe_free(server);
}

void uva_server_close_clients(uva_server_t *server)
{
    if (uva__loop_owned(server->loop)) {
        UVA__LIST_FOREACH_SAFE(client, &server->clients, uva_transport_t, link)
        {
            uva_transport_close(client);
        }
    }
}

void uva_server_abort_clients(uva_server_t *server)
{
    if (uva__loop_owned(server->loop)) {
        UVA__LIST_FOREACH_SAFE(client, &server->clients, uva_transport_t, link)
        {
            uva_transport_abort(client);
        }
    }
}

/* --- opening and closing --- */

/* asyncio: base_events.py, Server._start_serving. */
int uva__server_serve(uva_server_t *server)
{
    if (server->state == UVA__SERVER_SERVING) {
        return 0;
    }
    if (server->state == UVA__SERVER_CLOSED) {
        return uva__bare(UV_EPERM);
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        uva__listener_t *listener = &server->listeners[i];
        if (listener->binding != NULL) {
            uva__binding_listen(listener->binding);
        } else if (listen(listener->fd, server->backlog_count) < 0) {
            return uv_translate_sys_error(errno);
        }
    }
    server->state = UVA__SERVER_SERVING;
    server_watch(server);
    return 0;
}

/* libuv is done with a listener's handle, which lies in the server's memory. */
static void listener_close_cb(uv_handle_t *handle)
{
    uva__listener_t *listener =
        UVA__CONTAINER_OF(handle, uva__listener_t, poll);

    listener->server->handle_count--;
    uva__server_maybe_free(listener->server);
}

/* Tell what depends on the server that it is closing: the tasks that wait for
 * it, and its idle clients. */
static void server_tell_closing(uva_server_t *server)
{
    UVA__LIST_FOREACH (waiter, &server->closers, uva_waiter_t, link) {
        (void)uva_waiter_wake(waiter);
    }
    if (server->end_idle) {
        UVA__LIST_FOREACH (client, &server->clients, uva_transport_t, link) {
            uva__transport_end_idle(client);
        }
    }
}

/* Close a listener's socket. Before its descriptor the handle, as libuv takes
 * that out of epoll, and the file: see uva__socket_file_end. */
static void listener_close(uva__listener_t *listener)
{
    const uva_server_t *server = listener->server;

    uva__timer_stop(server->loop, &listener->timer);
    if (listener->binding != NULL) {
        uva__binding_close(listener->binding);
        return;
    }
    uva__uv_handle_close((uv_handle_t *)&listener->poll, listener_close_cb);
    uva__socket_file_end(listener->file, server->removes_files);
    if (server->owns_fds) {
        close(listener->fd);
    }
}

/* The descriptors are closed at once, so that the address is free when this
 * returns; the handles when libuv says so. Clients live on: asyncio,
 * Server.close. */
void uva_server_close(uva_server_t *server)
{
    if (!uva__loop_owned(server->loop) || server->state == UVA__SERVER_CLOSED) {
        return;
    }
    server->state = UVA__SERVER_CLOSED;
    /* A close_cb may come inside the loop below, if a host has closed the
     * handle: this count keeps the server until the end. */
    server->handle_count++;
    for (size_t i = 0; i < server->listener_count; i++) {
        listener_close(&server->listeners[i]);
    }
    server->listener_count = 0;
    server_maybe_leave(server);
    uva__loop_op_end(server->loop);
    server_tell_closing(server);
    if (server->forever != NULL) {
        (void)uva_waiter_wake(server->forever);
    }
    server_wake(server);
    server->handle_count--;
    uva__server_maybe_free(server);
}

/* One server for each turn, however many there are; see io_look in service.c.
 */
void uva__servers_look(uva__io_t *io)
{
    uva_server_t *server;

    if (uva__list_empty(&io->servers)) {
        return;
    }
    server = UVA__LIST_FIRST(&io->servers, uva_server_t, link);
    uva__list_remove(&server->link);
    uva__list_append(&io->servers, &server->link);
    uva__transports_look(&server->clients);
    for (size_t i = 0; i < server->listener_count; i++) {
        if (uv_is_closing((uv_handle_t *)&server->listeners[i].poll)) {
            uva__log(UVA_LOG_WARNING,
                     "the host has closed a handle of a server: it is closed");
            uva_server_close(server);
            return;
        }
    }
}

/* Each server that is there now, once. From the front each time: the log's hook
 * is a user's code and may close other servers, which would break a walk along
 * the list. */
void uva__servers_abandon(uva__io_t *io)
{
    uva_list_t left;

    uva__list_init(&left);
    while (!uva__list_empty(&io->servers)) {
        uva_list_t *link = io->servers.next;
        uva__list_remove(link);
        uva__list_append(&left, link);
    }
    while (!uva__list_empty(&left)) {
        uva_server_t *server = UVA__LIST_FIRST(&left, uva_server_t, link);
        bool open = server->state != UVA__SERVER_CLOSED;
        uva__list_remove(&server->link);
        uva__list_append(&io->servers, &server->link);
        uva_server_abort_clients(server);
        uva_server_close(server);
        if (open && io->loop->debug.enabled) { /* The hook may close others. */
            uva__log(UVA_LOG_WARNING, "a server was not closed");
        }
    }
}
