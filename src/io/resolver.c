/*
 * Names to addresses (asyncio.base_events, _ensure_resolved, _ipaddr_info,
 * getaddrinfo).
 *
 * Numeric hosts with numeric ports never reach the resolver. All else goes to
 * uv_getaddrinfo, which only this file calls.
 *
 * Invariant: a look-up owns itself from its start to resolve_cb, because a
 * thread of libuv's pool uses its memory and cannot be stopped. The operation
 * that asked for it can only forget it.
 */
#include "io/resolver.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "core/loop.h"
#include "core/timers.h"
#include "io/network.h"

/* How long the end of a loop waits for a look-up before the log names it. */
#define LOG_NS UVA_SEC(1)

#define HOST_MOST 255 /* Bytes of a host, which no name of DNS exceeds. */

struct uva__resolve_s {
    uv_getaddrinfo_t request; /* data is the loop; NULL once that has ended. */
    uva_list_t link;          /* Of uva__io_t.look_ups. */
    uva__resolve_cb callback; /* NULL once the look-up is forgotten. */
    void *data;               /* Borrowed: for callback. */
    char host[];              /* A copy, for the log. */
};

/* --- numbers --- */

/* The number of a port that is written in digits alone, up to 65535. The digits
 * are counted, as strtol also takes blanks and signs, and may overflow.
 * @return The number, or -1 if the text is a name, or no port. */
static long number_port(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    long number;

    if (digits == 0 || port[digits] != '\0') { /* None, or more than digits. */
        return -1;
    }
    number = digits > 9 ? 65536 : strtol(port, NULL, 10);
    return number <= 65535 ? number : -1;
}

/* Whether a port has a letter, as the name of every service has one. */
static bool port_is_name(const char *port)
{
    for (; *port != '\0'; port++) {
        if ((*port >= 'a' && *port <= 'z') || (*port >= 'A' && *port <= 'Z')) {
            return true;
        }
    }
    return false;
}

/* Checked here, as getaddrinfo takes "70000" modulo 65536 without a word, and
 * libuv tells nothing of a host that is too long but UV_EINVAL. */
int uva__name_check(const char *host, const char *port)
{
    size_t length = host == NULL ? 0 : strlen(host);

    if (length > HOST_MOST) {
        return uva_fail(UV_ENAMETOOLONG, "a host has %d bytes at most, not %zu",
                        HOST_MOST, length);
    }
    if (port != NULL && (port_is_name(port) || number_port(port) >= 0)) {
        return 0;
    }
    return uva_fail(UV_EINVAL, "a port is 0 to 65535, or a service, not '%s'",
                    port == NULL ? "" : port);
}

/* The address of a numeric host. @return Whether host is numeric, and of the
 * family. asyncio: base_events.py, _ipaddr_info. */
static bool number_host(const char *host,
                        int family,
                        int port,
                        uva__sockaddr_t *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->size = sizeof ret_address->in;
    if (family != AF_INET6 && uv_ip4_addr(host, port, &ret_address->in) == 0) {
        return true;
    }
    memset(ret_address, 0, sizeof *ret_address); /* uv_ip4_addr wrote to it. */
    ret_address->size = sizeof ret_address->in6;
    /* uv_ip6_addr takes an unknown zone ("%nope") for none, and the connection
     * would leave by any interface; the resolver refuses it. */
    return family != AF_INET && strchr(host, '%') == NULL &&
           uv_ip6_addr(host, port, &ret_address->in6) == 0;
}

/* The addresses that no host stands for: to listen, all addresses of this host;
 * to connect, its loopback address. In the order in which getaddrinfo has them.
 */
static size_t
number_here(const uva__name_t *name, int port, uva__sockaddr_t *addresses)
{
    static const char *const hosts[2][2] = {{"::1", "127.0.0.1"},
                                            {"0.0.0.0", "::"}};
    size_t count = 0;

    for (size_t i = 0; i < 2; i++) {
        if (number_host(hosts[name->passive][i], name->family, port,
                        &addresses[count])) {
            count++;
        }
    }
    return count;
}

/* Give a copy of addresses out. @return 1, or a code. */
static int resolve_found(const uva__sockaddr_t *found,
                         size_t count,
                         uva__addresses_t *ret_addresses)
{
    ret_addresses->items = uva__malloc(count * sizeof *found);
    if (ret_addresses->items == NULL) {
        return UV_ENOMEM;
    }
    memcpy(ret_addresses->items, found, count * sizeof *found);
    ret_addresses->count = count;
    return 1;
}

/* Look up a name without the resolver. @return 1 when found, 0 when the host or
 * the port is a name, or of another family: the resolver decides then. */
static int resolve_numbers(const uva__name_t *name,
                           uva__addresses_t *ret_addresses)
{
    uva__sockaddr_t found[2];
    long port = number_port(name->port);
    size_t count;

    if (port < 0) { /* A service: only the resolver knows its number. */
        return 0;
    }
    if (name->host == NULL || name->host[0] == '\0') {
        count = number_here(name, (int)port, found);
    } else {
        count = number_host(name->host, name->family, (int)port, found);
    }
    return count == 0 ? 0 : resolve_found(found, count, ret_addresses);
}

/* Look up a name on a network in memory, which knows no services. @return 1, or
 * a code. */
static int resolve_in_memory(uva_testing_network_t *network,
                             const uva__name_t *name,
                             uva__addresses_t *ret_addresses)
{
    long port = number_port(name->port);
    uva__sockaddr_t found;
    int r = port < 0
                ? UV_EAI_SERVICE
                : uva__network_resolve(network,
                                       name->host == NULL ? "" : name->host,
                                       name->family, (int)port, &found);

    return r < 0 ? r : resolve_found(&found, 1, ret_addresses);
}

/* --- names --- */

/* Copy the addresses of an answer that sockets can use; other families are left
 * out. The copy is what lets the answer be freed at once. */
static int resolve_collect(const struct addrinfo *found,
                           uva__addresses_t *ret_addresses)
{
    size_t count = 0;

    /* Room for all: which of them are usable is seen on the way. */
    for (const struct addrinfo *i = found; i != NULL; i = i->ai_next) {
        count++;
    }
    ret_addresses->count = 0;
    ret_addresses->items =
        uva__calloc(count == 0 ? 1 : count, sizeof *ret_addresses->items);
    if (ret_addresses->items == NULL) {
        return UV_ENOMEM;
    }
    for (const struct addrinfo *i = found; i != NULL; i = i->ai_next) {
        if (i->ai_addrlen <= UVA__SOCKADDR_MOST &&
            (i->ai_family == AF_INET || i->ai_family == AF_INET6)) {
            uva__sockaddr_t *address =
                &ret_addresses->items[ret_addresses->count++];
            address->size = i->ai_addrlen;
            memcpy(&address->any, i->ai_addr, i->ai_addrlen);
        }
    }
    if (ret_addresses->count == 0) { /* A success has one address at least. */
        uva__addresses_clear(ret_addresses);
        return UV_EAI_NODATA;
    }
    return 0;
}

/* libuv is done with a look-up: in time, after it was forgotten, or after the
 * host has closed the loop's handles. In each case its memory goes here. */
static void
resolve_cb(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    uva__resolve_t *resolve =
        UVA__CONTAINER_OF(request, uva__resolve_t, request);
    uva_loop_t *loop = request->data;
    uva__addresses_t addresses = {0};

    if (loop == NULL) { /* The loop has ended, and its memory may be gone. */
        uv_freeaddrinfo(found);
        uva__free(resolve);
        return;
    }
    if (resolve->callback != NULL) {
        if (status == 0) {
            status = resolve_collect(found, &addresses);
        }
        resolve->callback(resolve->data, status, &addresses);
    }
    uv_freeaddrinfo(found); /* NULL is allowed, for a failure. */
    uva__list_remove(&resolve->link);
    if (uva__list_empty(&UVA__IO_OF(loop)->look_ups)) {
        /* hold_up has nothing to name. */
        uva__timer_stop(loop, &UVA__IO_OF(loop)->hold_up);
    }
    uva__free(resolve);
    uva__loop_op_end(loop);
}

void uva__resolve_leave(uva__io_t *io)
{
    uva__timer_stop(io->loop, &io->hold_up);
    while (!uva__list_empty(&io->look_ups)) {
        uva__resolve_t *resolve =
            UVA__LIST_FIRST(&io->look_ups, uva__resolve_t, link);

        uva__list_remove(&resolve->link);
        resolve->callback = NULL;
        resolve->request.data = NULL; /* For resolve_cb: touch no loop. */
        uva__loop_op_end(io->loop);
    }
}

/* Start a look-up in libuv's pool of threads. */
static int resolve_start(uva_loop_t *loop,
                         const uva__name_t *name,
                         uva__resolve_cb callback,
                         void *data,
                         uva__resolve_t **ret_resolve)
{
    const char *host = name->host == NULL ? "" : name->host;
    size_t size = strlen(host) + 1;
    struct addrinfo hints;
    uv_loop_t *uv = uva__loop_uv(loop);
    uva__resolve_t *resolve;
    int r;

    if (uv == NULL) { /* The host has closed it. */
        return UV_ECANCELED;
    }
    resolve = uva__calloc(1, sizeof *resolve + size);
    if (resolve == NULL) {
        return UV_ENOMEM;
    }
    memcpy(resolve->host, host, size);
    memset(&hints, 0, sizeof hints);
    hints.ai_family = name->family;
    hints.ai_socktype = SOCK_STREAM; /* Else one for each protocol. */
    /* asyncio: create_connection passes no AI_ADDRCONFIG either. */
    hints.ai_flags = name->passive ? AI_PASSIVE : 0;
    resolve->callback = callback;
    resolve->data = data;
    resolve->request.data = loop;
    r = uv_getaddrinfo(uv, &resolve->request, resolve_cb,
                       host[0] != '\0' ? host : NULL, name->port, &hints);
    if (r < 0) {
        uva__free(resolve);
        return r;
    }
    /* The loop does not end before resolve_cb: the pool has our memory. */
    uva__loop_op_begin(loop);
    uva__list_append(&UVA__IO_OF(loop)->look_ups, &resolve->link);
    *ret_resolve = resolve;
    return 0;
}

int uva__resolve_failed(const char *host, int code)
{
    return uva_fail(code, "cannot look up '%s': %s", host == NULL ? "" : host,
                    uva_strerror(code));
}

int uva__resolve(uva_loop_t *loop,
                 const uva__name_t *name,
                 uva__resolve_cb callback,
                 void *data,
                 uva__addresses_t *ret_addresses,
                 uva__resolve_t **ret_resolve)
{
    int r = uva__name_check(name->host, name->port);

    if (r >= 0) {
        r = uva__bare(resolve_numbers(name, ret_addresses));
    }
    if (r != 0) { /* A code, or 1: found. */
        return r;
    }
    r = UVA__IO_OF(loop)->network != NULL
            ? resolve_in_memory(UVA__IO_OF(loop)->network, name, ret_addresses)
            : resolve_start(loop, name, callback, data, ret_resolve);
    return r < 0 && r != UV_ENOMEM ? uva__resolve_failed(name->host, r)
                                   : uva__bare(r);
}

/* --- look-ups that hold up the end of a loop --- */

/* A second has passed since the loop wanted to end: say what it waits for. */
static void resolve_log(uva__timer_t *timer)
{
    uva__io_t *io = UVA__CONTAINER_OF(timer, uva__io_t, hold_up);

    io->hold_up_logged = true;
    UVA__LIST_FOREACH (resolve, &io->look_ups, uva__resolve_t, link) {
        uva__log(UVA_LOG_WARNING,
                 "the end of a loop waits for the look-up of '%s': the "
                 "system's resolver has not answered, and cannot be stopped",
                 resolve->host);
    }
}

void uva__resolve_hold_up(uva__io_t *io)
{
    /* The loop asks again and again while it ends: one timer, one log. */
    if (!uva__list_empty(&io->look_ups) && !io->hold_up_logged &&
        io->hold_up.state == 0) {
        /* Without memory nothing is logged. */
        (void)uva__timer_start(io->loop, &io->hold_up,
                               uva__loop_deadline(io->loop, LOG_NS),
                               resolve_log);
    }
}

void uva__resolve_cancel(uva__resolve_t *resolve)
{
    const uva_loop_t *loop = resolve->request.data;

    resolve->callback = NULL;
    /* uv_cancel stops a look-up that no thread has begun; others run on, and
     * end in resolve_cb unheard. A lost loop has no uv_loop_t to cancel in. */
    if (!loop->driver.lost) {
        (void)uv_cancel((uv_req_t *)&resolve->request);
    }
}
