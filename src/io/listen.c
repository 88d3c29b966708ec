/*
 * Starting a server (asyncio.base_events, create_server).
 *
 * The operation looks the host up, makes the server and binds its sockets, then
 * waits for an iteration. A numeric host, a path and descriptors are bound in
 * the first call.
 *
 * Invariant: either every address of the host that this system has is bound, or
 * none; descriptors of the user are the server's only once it is given out.
 * take_data has one owner at each moment, the operation or the server;
 * destroy is NULL in the operation once the server has it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "core/loop.h"
#include "core/owner.h"
#include "io/medium_filter.h"
#include "io/resolver.h"
#include "io/server.h"
#include "io/service.h"
#include "io/sockets.h"

#define BACKLOG          100       /* asyncio: create_server, backlog. */
#define CONNECTIONS      65536u    /* Unless an option says otherwise. */
#define CONNECTIONS_MOST 16777216u /* 2^24. */
#define FDS_MOST         1024u     /* Of descriptors in the options. */

typedef struct listen_s {
    uva_loop_t *loop;        /* Borrowed. */
    uva_waiter_t *waiter;    /* Borrowed: of the task that waits. */
    uva__resolve_t *resolve; /* In flight, or NULL. */
    uva__addresses_t found;  /* Of the host. */
    uva_server_options_t options;
    uva__transport_kind_t kind;
    uva_server_t *server;   /* Owned. NULL until the last phase, in which the
                               task waits for an iteration only. */
    uva__target_t target;   /* A copy; what it points to is borrowed. */
    int status;             /* Of the look-up. */
    void *data;             /* Owned, until the server has it. */
    uva_destroy_cb destroy; /* For data; NULL once the server has it. */
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
    /* So that a server can start again while connections of the last one are in
     * TIME_WAIT. asyncio: create_server, reuse_address, on by default. */
    if (!listen->options.exclusive_address) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (listen->options.keep_alive) { /* Accepted sockets inherit it. */
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (listen->options.reuse_port) { /* Asked for, so its lack is a failure. */
#if defined(SO_REUSEPORT)
        r = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#else
        errno = ENOTSUP;
        r = -1;
#endif
    }
    if (r == 0 && address->any.sa_family == AF_INET6) {
        /* Else the socket of "::" would take the port of IPv4 too, and the bind
         * of "0.0.0.0" would fail. */
        r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (r == 0) {
        r = bind(fd, &address->any, address->size);
    }
    if (r < 0) {
        r = uv_translate_sys_error(errno); /* Before close sets errno. */
        close(fd);
        return r;
    }
    return fd;
}

/* Whether a failure only means that this host lacks the family or the address,
 * as it happens with "::1" without IPv6. asyncio: create_server, which goes on
 * after a failed socket() and after EADDRNOTAVAIL (bpo-30945). */
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

/* Whether an address stands before index already: a resolver or /etc/hosts may
 * give one twice, and the second bind would fail. asyncio makes a set of them.
 */
static bool listen_is_repeated(const uva__addresses_t *found, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (uva__sockaddr_equal(&found->items[i], &found->items[index])) {
            return true;
        }
    }
    return false;
}

/* The failure of an address, with a text as asyncio has it: base_events.py,
 * create_server, and unix_events.py, create_unix_server. */
static int listen_failed(const uva__sockaddr_t *address, int code)
{
    char where[UVA__ADDRESS_TEXT];

    uva__address_format(address, where);
    if (code == UV_ENOMEM) {
        return uva__bare(code);
    }
    if (code == UV_EADDRINUSE && address->any.sa_family == AF_UNIX) {
        return uva_fail(code, "Address %s is already in use", where);
    }
    return uva_fail(code, "error while attempting to bind on address %s: %s",
                    where, uva_strerror(code));
}

/* Listen on one address. @return 0, also when it was passed over; or a code. */
static int listen_address(const listen_t *listen,
                          uva_server_t *server,
                          const uva__sockaddr_t *address)
{
    uva__listener_t *listener = &server->listeners[server->listener_count];
    uva_testing_network_t *network = UVA__IO_OF(listen->loop)->network;
    int fd;
    int r;

    if (network != NULL) {
        return uva__listener_bind(listener, server, network, address);
    }
    fd = listen_socket(listen, address);
    if (fd < 0) {
        return listen_passes_over(fd, address) ? 0 : fd;
    }
    r = uva__listener_init(listener, server, fd);
    if (r < 0) {
        close(fd);
    }
    return r;
}

/* Bind a socket to each address, in the order of the resolver. The first
 * failure is the failure of all; the caller closes the listeners that are made.
 */
static int listen_host(const listen_t *listen, uva_server_t *server)
{
    const char *host = listen->target.name;

    for (size_t i = 0; i < listen->found.count; i++) {
        const uva__sockaddr_t *address = &listen->found.items[i];
        int r = listen_is_repeated(&listen->found, i)
                    ? 0
                    : listen_address(listen, server, address);
        if (r < 0) {
            return listen_failed(address, r);
        }
    }
    if (server->listener_count == 0) { /* Every address was passed over. */
        return uva_fail(UV_EADDRNOTAVAIL,
                        "could not bind on any address of '%s'",
                        host == NULL ? "" : host);
    }
    return 0;
}

/* Bind a unix socket to its path. */
static int listen_path(const listen_t *listen, uva_server_t *server)
{
    const uva__sockaddr_t *address = listen->found.items;
    uva__socket_file_t *file = NULL;
    int fd = uva__socket_open(AF_UNIX);
    int r = fd;

    if (r >= 0) {
        r = uva__socket_file_bind(fd, address, listen->options.unix_mode,
                                  listen->options.steal_path, &file);
    }
    if (r >= 0) {
        r = uva__listener_init(server->listeners, server, fd);
    }
    if (r < 0) {
        uva__socket_file_end(file, true);
        if (fd >= 0) {
            close(fd);
        }
        return listen_failed(address, r);
    }
    server->listeners[0].file = file;
    return 0;
}

/* Take the sockets of the options, which were checked. Their files are removed
 * for a unix server alone, as in asyncio. */
static int listen_fds(const listen_t *listen, uva_server_t *server)
{
    for (size_t i = 0; i < listen->options.fd_count; i++) {
        uva__listener_t *listener = &server->listeners[i];
        int fd = listen->options.fds[i];
        int r = uva__listener_init(listener, server, fd);
        if (r >= 0 && listen->target.kind == UVA__TARGET_PATH) {
            r = uva__socket_file_find(fd, &listener->file);
        }
        if (r < 0) { /* UV_EEXIST: the loop watches the descriptor already. */
            return uva__bare(r);
        }
    }
    return 0;
}

static int listen_bind(const listen_t *listen, uva_server_t *server)
{
    return listen->options.fd_count > 0 ? listen_fds(listen, server)
           : listen->target.kind == UVA__TARGET_PATH
               ? listen_path(listen, server)
               : listen_host(listen, server);
}

/* --- the server --- */

/* Make the server, bind it, and let it listen unless that is deferred. On
 * failure the server is closed, has no reference, and destroys data when it is
 * freed. */
static int listen_make(listen_t *listen, const uva__factory_t *factory)
{
    const uva_server_options_t *options = &listen->options;
    uva_loop_t *loop = listen->loop;
    size_t count =
        options->fd_count > 0 ? options->fd_count : listen->found.count;
    size_t bytes = uva__server_bytes(count);
    uva_server_t *server = uva__slab_get(&loop->slab, bytes);
    int r;

    if (server == NULL) {
        return UV_ENOMEM;
    }
    memset(server, 0, bytes);
    server->loop = loop;
    server->made_count = count;
    server->owns_fds = options->fd_count == 0;
    server->removes_files = server->owns_fds;
    server->refs = 1; /* For listen_end to give out. */
    server->owner.data = listen->data;
    server->owner.left = uva__server_client_left;
    server->owner.filter = options->filter;
    server->destroy = listen->destroy;
    listen->destroy = NULL; /* data is the server's from here on. */
    server->backlog_count =
        options->backlog_count == 0 ? BACKLOG : options->backlog_count;
    server->max_connections =
        options->max_connections == 0 ? CONNECTIONS : options->max_connections;
    uva__list_init(&server->clients);
    uva__list_init(&server->waiters);
    uva__list_init(&server->closers);
    uva__list_init(&server->served);
    server->grace_end_ns = UVA_FOREVER;
    server->end_idle = options->end_idle;
    /* Both end in uva_server_close, which a failure below calls as well. */
    uva__list_append(&UVA__IO_OF(loop)->servers, &server->link);
    uva__loop_op_begin(loop);
    r = uva__transport_kind(&server->kind, factory, options->limit_bytes,
                            options->high_bytes, options->low_bytes,
                            options->close_timeout_ns);
    server->kind.most_fds = options->receive_fds;
    if (r >= 0) {
        r = listen_bind(listen, server);
    }
    if (r >= 0 && !options->deferred) {
        r = uva__server_serve(server);
    }
    if (r < 0) { /* close_cb of its handles comes later and frees it. */
        uva_server_close(server);
        (void)uva_server_unref(server);
        return r;
    }
    listen->server = server;
    return 0;
}

/* --- the operation --- */

/* Check the options and keep a copy; NULL stands for the defaults. */
static int listen_options(listen_t *listen,
                          const uva_server_options_t *options,
                          const uva__factory_t *factory)
{
    if (options != NULL &&
        (!uva__options_copy(&listen->options, sizeof listen->options,
                            offsetof(uva_server_options_t, fds), options) ||
         listen->options.max_connections > CONNECTIONS_MOST ||
         listen->options.backlog_count < 0 ||
         listen->options.family > UVA_FAMILY_IPV6 ||
         listen->options.unix_mode > 07777 ||
         !uva__filter_kind_fits(listen->options.filter) ||
         listen->options.fd_count > FDS_MOST)) {
        return UV_EINVAL;
    }
    return uva__transport_kind(
        &listen->kind, factory, listen->options.limit_bytes,
        listen->options.high_bytes, listen->options.low_bytes,
        listen->options.close_timeout_ns);
}

/* The look-up has ended. It runs inside the poll, so it only wakes the task,
 * which makes the server. */
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

/* Make the operation, which owns take_data. On failure data is destroyed at
 * once, so the caller's part is the same either way. */
static int listen_new(void **op,
                      uva__target_kind_t kind,
                      void *take_data,
                      uva_destroy_cb destroy)
{
    uva_loop_t *loop = uva__running();
    listen_t *listen = NULL;
    uva__io_t *io;
    int r = uva__task_current() == NULL ? UVA_ENOTASK
            : kind == UVA__TARGET_HOST  ? uva__io_get_hosts(loop, &io)
                                        : uva__io_get_sockets(loop, &io);

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

/* Check the descriptors of the options. asyncio: create_server and
 * create_unix_server, which take an address or a socket, and of the latter what
 * can listen. */
static int listen_check_fds(const listen_t *listen)
{
    const uva_server_options_t *options = &listen->options;

    if (listen->target.name != NULL || listen->target.port != NULL ||
        options->fds == NULL) {
        return uva_fail(UV_EINVAL, "an address and descriptors exclude each "
                                   "other");
    }
    for (size_t i = 0; i < options->fd_count; i++) {
        int fd = options->fds[i];
        uva__sockaddr_t address;
        int r = uva__socket_adopt(fd, true);
        for (size_t k = 0; k < i && r >= 0; k++) {
            if (options->fds[k] == fd) { /* It would be closed twice. */
                r = uva_fail(UV_EINVAL, "the descriptor %d comes twice", fd);
            }
        }
        if (r >= 0 && listen->target.kind == UVA__TARGET_PATH) {
            r = uva__bare(uva__sockaddr_of_socket(fd, &address));
            if (r >= 0 && address.any.sa_family != AF_UNIX) {
                r = uva_fail(UV_EINVAL, "the descriptor %d is no unix socket",
                             fd);
            }
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* The first call: look the host up. All but a name is bound at once.
 * @return 0 when there is something to wait for, or a code. */
static int listen_begin(listen_t *listen,
                        const uva__target_t *target,
                        const uva_server_options_t *options,
                        const uva__factory_t *factory)
{
    uva__name_t name = {
        .host = target->name, .port = target->port, .passive = true};
    int r = uva__bare(listen_options(listen, options, factory));

    listen->target = *target;
    if (r < 0) {
        return r;
    }
    if (listen->options.fd_count > 0) {
        r = UVA__IO_OF(listen->loop)->network != NULL
                ? uva__bare(UV_ENOTSUP)
                : listen_check_fds(listen);
    } else if (target->kind == UVA__TARGET_PATH) {
        r = uva__addresses_unix(target->name, &listen->found);
    } else {
        name.family = uva__family(listen->options.family);
        r = uva__resolve(listen->loop, &name, listen_resolved, listen,
                         &listen->found, &listen->resolve);
        if (r == 0) {
            return 0; /* listen_resolved comes. */
        }
    }
    return r < 0 ? r : listen_make(listen, factory);
}

/* The last call, with its result r: give the server out, or close it. A
 * cancelled task may leave a server that has accepted already: its clients are
 * aborted, as nobody will ever serve or close them. */
static int listen_end(void **op, int r, uva_server_t **ret_server)
{
    listen_t *listen = *op;
    uva_server_t *server = listen->server;

    *op = NULL;
    if (r >= 0) {
        server->owns_fds = true;
        server->removes_files = !listen->options.keep_path;
        *ret_server = server;
    } else if (server != NULL) {
        uva_server_abort_clients(server);
        uva_server_close(server);
        (void)uva_server_unref(server);
    }
    if (listen->destroy != NULL) { /* There has never been a server. */
        listen->destroy(listen->data);
    }
    if (listen->resolve != NULL) {
        uva__resolve_cancel(listen->resolve);
    }
    uva__addresses_clear(&listen->found);
    uva__slab_put(&listen->loop->slab, listen, sizeof *listen);
    return r;
}

/* After the look-up: make the server. */
static int listen_go_on(listen_t *listen, const uva__factory_t *factory)
{
    int r = listen->status;

    /* Here and not in the callback: a text of an error belongs to the task. */
    if (r < 0) {
        return r == UV_ENOMEM ? r : uva__resolve_failed(listen->target.name, r);
    }
    return listen_make(listen, factory);
}

int uva__listen_poll(void **op,
                     const uva__target_t *target,
                     const uva_server_options_t *options,
                     const uva__factory_t *factory,
                     void *take_data,
                     uva_destroy_cb destroy,
                     uva_server_t **ret_server)
{
    uva_waiter_t *self = uva_waiter_current();
    listen_t *listen;
    int r;

    if (!uva_waiter_resumed(self)) {
        r = listen_new(op, target->kind, take_data, destroy);
        if (r < 0) {
            return r;
        }
        listen = *op;
        r = listen_begin(listen, target, options, factory);
    } else {
        listen = *op;
        r = uva_waiter_finish(self);
        if (r >= 0 && listen->server != NULL) { /* The iteration is over. */
            return listen_end(op, 0, ret_server);
        }
        r = r < 0 ? r : listen_go_on(listen, factory);
    }
    if (r < 0) {
        return listen_end(op, r, ret_server);
    }
    /* With the server there, the task waits for one iteration, so that sockets
     * are watched when it goes on. asyncio: create_server, tasks.sleep(0). */
    r = uva_waiter_suspend(self, NULL, NULL);
    if (listen->server != NULL) {
        (void)uva_waiter_wake(self);
    }
    return r;
}
