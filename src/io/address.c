/*
 * Internet addresses (the pairs of host and port of asyncio).
 *
 * Invariant: a user's address is numeric; nothing here asks a resolver.
 */
#include "io/address.h"

#include <errno.h>
#include <string.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/format.h"

void uva__addresses_clear(uva__addresses_t *addresses)
{
    uva__free(addresses->items);
    *addresses = (uva__addresses_t){0};
}

/* Field by field, as the padding of an address may hold anything. */
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

/* Append "%eth0" to the text of an address that is valid on one interface. */
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

/* The words of asyncio's messages. */
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

int uva__address_of_socket(int fd, uva_address_t *ret_address)
{
    uva__sockaddr_t address;
    socklen_t size = sizeof address;

    if (getsockname(fd, &address.any, &size) < 0) {
        return uv_translate_sys_error(errno);
    }
    return uva__address_from(&address, ret_address);
}
