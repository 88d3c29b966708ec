/*
 * Addresses of sockets: the pairs of host and port, and the paths, that
 * asyncio's sockets use.
 *
 * Invariant: the host of a uva_address_t is numeric, or the name of a unix
 * socket. Nothing in this file asks a resolver, so nothing in it can block.
 */
#include "io/address.h"

#include <errno.h>
#include <string.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/format.h"

/* Where the name begins: the bytes of a unix socket's address without one. */
#define SUN_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

/* Zeroes what it frees, so that the owner's clean-up may clear twice. */
void uva__addresses_clear(uva__addresses_t *addresses)
{
    uva__free(addresses->items);
    *addresses = (uva__addresses_t){0};
}

/* --- of the system --- */

/* Compares field by field. A memcmp of the whole would also compare sin_zero
 * and sin6_flowinfo, in which a resolver may leave anything. */
bool uva__sockaddr_equal(const uva__sockaddr_t *a, const uva__sockaddr_t *b)
{
    if (a->any.sa_family != b->any.sa_family) {
        return false;
    }
    if (a->any.sa_family == AF_INET) {
        return a->in.sin_port == b->in.sin_port &&
               a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    }
    return a->in6.sin6_port == b->in6.sin6_port &&
           a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
           memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
                  sizeof a->in6.sin6_addr) == 0;
}

/* The path ends with a zero in sun_path too: not every system takes one that
 * fills it. An abstract name begins with a zero and has none behind it. asyncio
 * and Python's socket module have that zero in place of the "@". */
int uva__sockaddr_unix(const char *path, uva__sockaddr_t *ret_address)
{
    bool is_abstract = path != NULL && path[0] == '@';
    size_t length = path == NULL ? 0 : strlen(path);
    size_t bytes = is_abstract ? length : length + 1;

    if (length == 0 || (is_abstract && length == 1)) {
        return uva_fail(UV_EINVAL, "the path of a socket is empty");
    }
    if (bytes > sizeof ret_address->un.sun_path) {
        return uva_fail(UV_ENAMETOOLONG,
                        "the path of a socket has %zu bytes at most, not %zu",
                        sizeof ret_address->un.sun_path - !is_abstract, length);
    }
#if !defined(__linux__)
    if (is_abstract) {
        return uva_fail(UV_ENOTSUP, "this system has no abstract names: '%s'",
                        path);
    }
#endif
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->un.sun_family = AF_UNIX;
    memcpy(ret_address->un.sun_path, path, length);
    if (is_abstract) {
        ret_address->un.sun_path[0] = '\0';
    }
    ret_address->size = (socklen_t)(SUN_PATH_OFFSET + bytes);
    return 0;
}

/* How many bytes the name of a unix socket has; 0 without a name. A path may
 * come with the zero behind it, or with several. */
static size_t unix_length(const uva__sockaddr_t *address)
{
    size_t size =
        address->size < sizeof address->un ? address->size : sizeof address->un;
    size_t bytes = size <= SUN_PATH_OFFSET ? 0 : size - SUN_PATH_OFFSET;

    return bytes > 0 && address->un.sun_path[0] != '\0'
               ? strnlen(address->un.sun_path, bytes)
               : bytes;
}

bool uva__sockaddr_is_file(const uva__sockaddr_t *address)
{
    return address->any.sa_family == AF_UNIX && unix_length(address) > 0 &&
           address->un.sun_path[0] != '\0';
}

void uva__sockaddr_name(const uva__sockaddr_t *address, char *text)
{
    size_t length = unix_length(address);

    for (size_t i = 0; i < length; i++) {
        char c = address->un.sun_path[i];
        text[i] = c == '\0' ? '@' : c;
    }
    text[length] = '\0';
}

void uva__addresses_interleave(uva__addresses_t *addresses, size_t ahead)
{
    uva__sockaddr_t *items = addresses->items;
    size_t count = addresses->count;
    size_t placed = 0;

    /* At each place, insert the next address of the family that is due. Without
     * one the place keeps the address that it has. */
    while (placed < count && ahead > 0) {
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

int uva__addresses_unix(const char *path, uva__addresses_t *ret_addresses)
{
    uva__sockaddr_t address;
    int r = uva__sockaddr_unix(path, &address);

    if (r < 0) {
        return r;
    }
    ret_addresses->items = uva__malloc(sizeof address);
    if (ret_addresses->items == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    ret_addresses->items[0] = address;
    ret_addresses->count = 1;
    return 0;
}

/* --- peers --- */

int uva__peer_set(uva__peer_t *peer, const uva__sockaddr_t *address)
{
    peer->family = address->any.sa_family;
    if (peer->family == AF_INET) {
        peer->port = address->in.sin_port;
        peer->in = address->in.sin_addr;
    } else if (peer->family == AF_INET6) {
        peer->port = address->in6.sin6_port;
        peer->zone = address->in6.sin6_scope_id;
        peer->in6 = address->in6.sin6_addr;
    } else if (peer->family == AF_UNIX && unix_length(address) > 0) {
        peer->name = uva__malloc(sizeof *peer->name);
        if (peer->name == NULL) {
            return UV_ENOMEM;
        }
        *peer->name = *address;
    }
    return 0;
}

void uva__peer_clear(uva__peer_t *peer)
{
    if (peer->family == AF_UNIX) {
        uva__free(peer->name);
    }
    memset(peer, 0, sizeof *peer);
}

uva__sockaddr_t uva__peer_get(const uva__peer_t *peer)
{
    uva__sockaddr_t address;

    memset(&address, 0, sizeof address);
    address.size = sizeof address.any;
    address.any.sa_family = peer->family;
    if (peer->family == AF_INET) {
        address.in.sin_port = peer->port;
        address.in.sin_addr = peer->in;
        address.size = sizeof address.in;
    } else if (peer->family == AF_INET6) {
        address.in6.sin6_port = peer->port;
        address.in6.sin6_scope_id = peer->zone;
        address.in6.sin6_addr = peer->in6;
        address.size = sizeof address.in6;
    } else if (peer->family == AF_UNIX && peer->name != NULL) {
        address = *peer->name;
    } else if (peer->family == AF_UNIX) {
        address.size = SUN_PATH_OFFSET;
    }
    return address;
}

/* --- for users --- */

/* Append "%eth0" to the text of a link-local address, which means nothing
 * without its interface. An interface that is gone leaves the text as it is. */
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
    /* A local copy: ret_address is written on success alone. */
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
    } else if (from->any.sa_family == AF_UNIX) {
        address.family = UVA_FAMILY_UNIX;
        uva__sockaddr_name(from, address.host);
        r = 0;
    } else {
        r = UV_EAFNOSUPPORT; /* Or the system has not told it. */
    }
    if (r >= 0) {
        *ret_address = address;
    }
    return r < 0 ? r : 0;
}

/* asyncio: base_events.py, _connect_sock and create_server; selector_events.py,
 * _sock_connect_cb, whose messages show an address as Python prints its tuple
 * or its path. */
void uva__address_format(const uva__sockaddr_t *address, char *text)
{
    uva_address_t readable;

    if (uva__address_from(address, &readable) < 0) {
        (void)uva__format(text, UVA__ADDRESS_TEXT, "(?)");
    } else if (readable.family == UVA_FAMILY_UNIX) {
        (void)uva__format(text, UVA__ADDRESS_TEXT, "'%s'", readable.host);
    } else {
        (void)uva__format(text, UVA__ADDRESS_TEXT, "('%s', %u)", readable.host,
                          (unsigned)readable.port);
    }
}

void uva__peer_format(const uva__peer_t *peer, char *text)
{
    uva__sockaddr_t address = uva__peer_get(peer);

    uva__address_format(&address, text);
}

/* --- of sockets --- */

/* With port 0 asked for, getsockname tells the one that the system chose. */
int uva__sockaddr_of_socket(int fd, uva__sockaddr_t *ret_address)
{
    ret_address->size = UVA__SOCKADDR_MOST;
    return getsockname(fd, &ret_address->any, &ret_address->size) < 0
               ? uv_translate_sys_error(errno)
               : 0;
}

int uva__sockaddr_of_peer(int fd, uva__sockaddr_t *ret_address)
{
    ret_address->size = UVA__SOCKADDR_MOST;
    return getpeername(fd, &ret_address->any, &ret_address->size) < 0
               ? uv_translate_sys_error(errno)
               : 0;
}

int uva__address_of_socket(int fd, uva_address_t *ret_address)
{
    uva__sockaddr_t address;
    int r = uva__sockaddr_of_socket(fd, &address);

    return r < 0 ? r : uva__address_from(&address, ret_address);
}
