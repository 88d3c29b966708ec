/*
 * Internet addresses: the pairs of host and port that asyncio's sockets use.
 *
 * Invariant: the host of a uva_address_t is always numeric. Nothing in this
 * file asks a resolver, so nothing in it can block.
 */
#include "io/address.h"

#include <errno.h>
#include <string.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/format.h"

/* Zeroes what it frees, so that the owner's clean-up may clear twice. */
void uva__addresses_clear(uva__addresses_t *addresses)
{
    uva__free(addresses->items);
    *addresses = (uva__addresses_t){0};
}

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
    } else {
        r = UV_EAFNOSUPPORT; /* Or the system has not told it. */
    }
    if (r >= 0) {
        *ret_address = address;
    }
    return r < 0 ? r : 0;
}

/* asyncio: base_events.py, _connect_sock and create_server, whose messages show
 * an address as Python prints its tuple. */
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

/* With port 0 asked for, getsockname tells the one that the system chose. */
int uva__address_of_socket(int fd, uva_address_t *ret_address)
{
    uva__sockaddr_t address;
    socklen_t size = sizeof address;

    if (getsockname(fd, &address.any, &size) < 0) {
        return uv_translate_sys_error(errno);
    }
    return uva__address_from(&address, ret_address);
}
