/*
 * Starting a server (asyncio.base_events, create_server).
 *
 * Invariant: either every address of the host that the system knows is bound,
 * or none.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "core/loop.h"
#include "core/owner.h"
#include "io/resolver.h"
#include "io/server.h"
#include "io/service.h"
#include "io/sockets.h"

#define BACKLOG          100
#define CONNECTIONS      65536u
#define CONNECTIONS_MOST 16777216u

typedef struct listen_s {
    uva_loop_t *loop;
    uva_waiter_t *waiter;    /* Borrowed: of the task that waits. */
    uva__resolve_t *resolve; /* In flight. */
    uva__addresses_t found;
    uva_server_options_t options;
    uva__transport_kind_t kind;
    uva_server_t *server; /* The last phase: it is there. */
    const char *host;     /* Borrowed. */
    int status;           /* Of the look-up. */
    void *data;           /* Owned, until the server has it. */
    uva_destroy_cb destroy;
} listen_t;

/* --- sockets --- */

/* A socket that is bound to an address. @return It, or a code. */
static int listen_socket(const listen_t *listen, const uva__sockaddr_t *address)
{
    int on = 1;
    int r = 0;
    int fd = uva__socket_open(address->any.sa_family);

    if (fd < 0) {
        return fd;
    }
    if (!listen->options.exclusive_address) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (listen->options.reuse_port) {
#if defined(SO_REUSEPORT)
        r = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#else
        errno = ENOTSUP;
        r = -1;
#endif
    }
    if (r == 0 && address->any.sa_family == AF_INET6) {
        /* Both families get sockets of their own. */
        r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (r == 0) {
        r = bind(fd, &address->any, uva__sockaddr_bytes(address));
    }
    if (r < 0) {
        r = uv_translate_sys_error(errno);
        close(fd);
        return r;
    }
    return fd;
}

/* A family that this host does not have is passed over. */
static bool listen_passes_over(int code, const uva__sockaddr_t *address)
{
    char where[UVA__ADDRESS_TEXT];

    if (code == UV_EAFNOSUPPORT || code == UV_EPROTONOSUPPORT) {
        return true;
    }
    if (code != UV_EADDRNOTAVAIL) {
        return false;
    }
    uva__address_format(address, where);
    uva__log(UVA_LOG_WARNING, "cannot listen on %s: %s", where,
             uva_strerror(code));
    return true;
}

/* A resolver may give one address several times, once for each protocol. */
static bool listen_is_repeated(const uva__addresses_t *found, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (uva__sockaddr_equal(&found->items[i], &found->items[index])) {
            return true;
        }
    }
    return false;
}

/* Bind a socket to each address; one failure is the failure of all. */
static int listen_bind(const listen_t *listen, uva_server_t *server)
{
    for (size_t i = 0; i < listen->found.count; i++) {
        const uva__sockaddr_t *address = &listen->found.items[i];
        uva__listener_t *listener = &server->listeners[server->listener_count];
        char where[UVA__ADDRESS_TEXT];
        int r;
        if (listen_is_repeated(&listen->found, i)) {
            continue;
        }
        r = listen_socket(listen, address);
        if (r < 0 && listen_passes_over(r, address)) {
            continue;
        }
        if (r >= 0) {
            r = uva__listener_init(listener, server, r);
        }
        if (r < 0) {
            uva__address_format(address, where);
            return uva_fail(r,
                            "error while attempting to bind on address %s: %s",
                            where, uva_strerror(r));
        }
    }
    if (server->listener_count == 0) {
        return uva_fail(UV_EADDRNOTAVAIL,
                        "could not bind on any address of '%s'",
                        listen->host == NULL ? "" : listen->host);
    }
    return 0;
}

/* --- the server --- */

/* Make the server, bind it, and let it listen unless that is deferred. */
static int listen_make(listen_t *listen, const uva__direct_ops_t *ops)
{
    const uva_server_options_t *options = &listen->options;
    uva_loop_t *loop = listen->loop;
    size_t bytes = uva__server_bytes(listen->found.count);
    uva_server_t *server = uva__slab_get(&loop->slab, bytes);
    int r;

    if (server == NULL) {
        return UV_ENOMEM;
    }
    memset(server, 0, bytes);
    server->loop = loop;
    server->made_count = listen->found.count;
    server->refs = 1;
    server->owner.data = listen->data;
    server->owner.left = uva__server_client_left;
    server->destroy = listen->destroy;
    listen->destroy = NULL;
    server->backlog_count =
        options->backlog_count == 0 ? BACKLOG : options->backlog_count;
    server->max_connections =
        options->max_connections == 0 ? CONNECTIONS : options->max_connections;
    uva__list_init(&server->clients);
    uva__list_init(&server->waiters);
    uva__list_append(&UVA__IO_OF(loop)->servers, &server->link);
    uva__loop_op_begin(loop);
    r = uva__transport_kind(&server->kind, ops, options->limit_bytes,
                            options->high_bytes, options->low_bytes);
    if (r >= 0) {
        r = listen_bind(listen, server);
    }
    if (r >= 0 && !options->deferred) {
        r = uva__server_serve(server);
    }
    if (r < 0) {
        uva_server_close(server);
        (void)uva_server_unref(server);
        return r;
    }
    listen->server = server;
    return 0;
}

/* --- the operation --- */

static int listen_options(listen_t *listen,
                          const uva_server_options_t *options,
                          const uva__direct_ops_t *ops)
{
    if (options != NULL) {
        if (options->size < sizeof *options ||
            options->max_connections > CONNECTIONS_MOST ||
            options->backlog_count < 0 || options->family > UVA_FAMILY_IPV6) {
            return UV_EINVAL;
        }
        listen->options = *options;
    }
    return uva__transport_kind(&listen->kind, ops, listen->options.limit_bytes,
                               listen->options.high_bytes,
                               listen->options.low_bytes);
}

/* The addresses are known: the task makes the server of them. */
static void
listen_resolved(void *data, int status, uva__addresses_t *take_addresses)
{
    listen_t *listen = data;

    listen->resolve = NULL;
    listen->status = status;
    if (status >= 0) {
        listen->found = *take_addresses;
    }
    (void)uva_waiter_wake(listen->waiter);
}

/* The state of the operation. It owns take_data, on failure too. */
static int listen_new(void **op, void *take_data, uva_destroy_cb destroy)
{
    uva_loop_t *loop = uva__running();
    listen_t *listen = NULL;
    uva__io_t *io;
    int r = uva__task_current() == NULL ? UVA_ENOTASK : uva__io_get(loop, &io);

    if (r >= 0) {
        listen = uva__slab_get(&loop->slab, sizeof *listen);
        r = listen == NULL ? UV_ENOMEM : 0;
    }
    if (r < 0) {
        if (destroy != NULL) {
            destroy(take_data);
        }
        return uva__bare(r);
    }
    memset(listen, 0, sizeof *listen);
    *op = listen;
    listen->loop = loop;
    listen->data = take_data;
    listen->destroy = destroy;
    listen->waiter = uva_waiter_current();
    return 0;
}

/* The first call: look the host up.
 * @return 0 when there is something to wait for. */
static int listen_begin(listen_t *listen,
                        const char *host,
                        const char *port,
                        const uva_server_options_t *options,
                        const uva__direct_ops_t *ops)
{
    uva_loop_t *loop = listen->loop;
    uva__name_t name = {.host = host, .port = port, .passive = true};
    int r = uva__bare(listen_options(listen, options, ops));

    listen->host = host;
    if (r >= 0) {
        name.family = uva__family(listen->options.family);
        r = uva__resolve(loop, &name, listen_resolved, listen, &listen->found,
                         &listen->resolve);
    }
    return r > 0 ? listen_make(listen, ops) : r;
}

/* The last call: give the server out, or close it. */
static int listen_end(void **op, int r, uva_server_t **ret_server)
{
    listen_t *listen = *op;
    uva_server_t *server = listen->server;

    *op = NULL;
    if (r >= 0) {
        *ret_server = server;
    } else if (server != NULL) {
        uva_server_abort_clients(server);
        uva_server_close(server);
        (void)uva_server_unref(server);
    }
    if (listen->destroy != NULL) {
        listen->destroy(listen->data);
    }
    if (listen->resolve != NULL) {
        uva__resolve_cancel(listen->resolve);
    }
    uva__addresses_clear(&listen->found);
    uva__slab_put(&listen->loop->slab, listen, sizeof *listen);
    return r;
}

/* After the look-up: the server, and then an iteration, so that it accepts
 * when the task goes on (asyncio: Server.start_serving). */
static int listen_go_on(listen_t *listen, const uva__direct_ops_t *ops)
{
    int r = listen->status;

    if (r < 0) {
        return r == UV_ENOMEM ? r : uva__resolve_failed(listen->host, r);
    }
    return listen_make(listen, ops);
}

int uva__listen_poll(void **op,
                     const char *host,
                     const char *port,
                     const uva_server_options_t *options,
                     const uva__direct_ops_t *ops,
                     void *take_data,
                     uva_destroy_cb destroy,
                     uva_server_t **ret_server)
{
    uva_waiter_t *self = uva_waiter_current();
    listen_t *listen;
    int r;

    if (!uva_waiter_resumed(self)) {
        r = listen_new(op, take_data, destroy);
        if (r < 0) {
            return r;
        }
        listen = *op;
        r = listen_begin(listen, host, port, options, ops);
    } else {
        listen = *op;
        r = uva_waiter_finish(self);
        if (r >= 0 && listen->server != NULL) {
            return listen_end(op, 0, ret_server);
        }
        r = r < 0 ? r : listen_go_on(listen, ops);
    }
    if (r < 0) {
        return listen_end(op, r, ret_server);
    }
    r = uva_waiter_suspend(self, NULL, NULL);
    if (listen->server != NULL) {
        (void)uva_waiter_wake(self);
    }
    return r;
}
