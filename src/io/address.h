/*
 * Internet addresses in three forms: the system's (uva__sockaddr_t), the
 * user's (uva_address_t of uva/transports.h), and text for messages.
 */
#ifndef UVA__IO_ADDRESS_H
#define UVA__IO_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "uva/transports.h"

/* A system's address; any.sa_family says which member holds it. */
typedef union uva__sockaddr_u {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} uva__sockaddr_t;

/* The addresses of a name, in the order of the resolver. Zeroed: none. */
typedef struct uva__addresses_s {
    uva__sockaddr_t *items; /* Owned. NULL if there are none. */
    size_t count;
} uva__addresses_t;

/** Free the addresses and zero the struct. Zeroed ones may be cleared. */
void uva__addresses_clear(uva__addresses_t *addresses);

/** How many bytes of an IPv4 or IPv6 address bind and connect expect. */
static inline socklen_t uva__sockaddr_bytes(const uva__sockaddr_t *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->in
                                             : sizeof address->in6;
}

/** Whether two addresses are the same, port and zone included. */
bool uva__sockaddr_equal(const uva__sockaddr_t *a, const uva__sockaddr_t *b);

/** The system's number of a family; AF_UNSPEC for UVA_FAMILY_ANY. */
static inline int uva__family(uva_family_t family)
{
    return family == UVA_FAMILY_IPV4   ? AF_INET
           : family == UVA_FAMILY_IPV6 ? AF_INET6
                                       : AF_UNSPEC;
}

/**
 * Make a user's address of a system's.
 *
 * @retval UV_EAFNOSUPPORT It is neither IPv4 nor IPv6; nothing was written.
 */
int uva__address_from(const uva__sockaddr_t *from, uva_address_t *ret_address);
/** The user's address of the local end of an open socket. @return 0, or the
 * code of getsockname. */
int uva__address_of_socket(int fd, uva_address_t *ret_address);
/** Bytes that uva__address_format needs at most. */
#define UVA__ADDRESS_TEXT 80
/** Write "('127.0.0.1', 80)" as asyncio does, or "(?)" for an address of an
 * unknown family. text has room for UVA__ADDRESS_TEXT bytes. */
void uva__address_format(const uva__sockaddr_t *address, char *text);

#endif /* UVA__IO_ADDRESS_H */
