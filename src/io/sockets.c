/*
 * Descriptors and addresses: what is asked of the system directly.
 *
 * Invariant: no descriptor exists for a moment that a child could inherit,
 * where the system can do that.
 */
#include "uva/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/format.h"
#include "io/io.h"

void uva__addresses_clear(uva__addresses_t *addresses)
{
    uva__free(addresses->items);
    *addresses = (uva__addresses_t){0};
}

static int
address_scope(const struct sockaddr_in6 *address, char *text, size_t size)
{
    char name[UV_IF_NAMESIZE];
    size_t length = sizeof name;

    if (address->sin6_scope_id == 0 ||
        uv_if_indextoname(address->sin6_scope_id, name, &length) < 0) {
        return 0;
    }
    return (int)uva__format(text, size, "%%%s", name);
}

int uva__address_from(const uva__sockaddr_t *from, uva_address_t *ret_address)
{
    uva_address_t address = {.port = 0};
    size_t length;
    int r;

    if (from->any.sa_family == AF_INET) {
        address.family = UVA_FAMILY_IPV4;
        address.port = ntohs(from->in.sin_port);
        r = uv_ip4_name(&from->in, address.host, sizeof address.host);
    } else if (from->any.sa_family == AF_INET6) {
        address.family = UVA_FAMILY_IPV6;
        address.port = ntohs(from->in6.sin6_port);
        r = uv_ip6_name(&from->in6, address.host, sizeof address.host);
        length = strlen(address.host);
        (void)address_scope(&from->in6, address.host + length,
                            sizeof address.host - length);
    } else {
        r = UV_EAFNOSUPPORT;
    }
    if (r >= 0) {
        *ret_address = address;
    }
    return r < 0 ? r : 0;
}

void uva__address_format(const uva__sockaddr_t *address, char *text)
{
    uva_address_t readable;

    if (uva__address_from(address, &readable) < 0) {
        (void)uva__format(text, UVA__ADDRESS_TEXT, "(?)");
        return;
    }
    (void)uva__format(text, UVA__ADDRESS_TEXT, "('%s', %u)", readable.host,
                      (unsigned)readable.port);
}

/* --- descriptors --- */

#if !defined(SOCK_NONBLOCK) || !defined(SOCK_CLOEXEC)

static int socket_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        int r = uv_translate_sys_error(errno);
        close(fd);
        return r;
    }
    return fd;
}

int uva__socket_open(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);

    return fd < 0 ? uv_translate_sys_error(errno) : socket_flags(fd);
}

int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer)
{
    socklen_t size;
    int fd;

    do {
        size = sizeof *ret_peer;
        fd = accept(listener, &ret_peer->any, &size);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? uv_translate_sys_error(errno) : socket_flags(fd);
}

#else

int uva__socket_open(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer)
{
    socklen_t size;
    int fd;

    do {
        size = sizeof *ret_peer;
        fd = accept4(listener, &ret_peer->any, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

#endif

/* asyncio: base_events.py, _set_nodelay. A socket that refuses it works. */
void uva__socket_prepare(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#if defined(SO_NOSIGPIPE)
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}
