/*
 * Internet addresses: as the system has them, as users see them, as text.
 */
#ifndef UVA__IO_ADDRESS_H
#define UVA__IO_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "uva/transports.h"

typedef union uva__sockaddr_u {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} uva__sockaddr_t;

/* The addresses of a name, in the order of the resolver. */
typedef struct uva__addresses_s {
    uva__sockaddr_t *items; /* Owned. */
    size_t count;
} uva__addresses_t;

void uva__addresses_clear(uva__addresses_t *addresses);

/** The bytes that a system call takes of an address. */
static inline socklen_t uva__sockaddr_bytes(const uva__sockaddr_t *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->in
                                             : sizeof address->in6;
}

/** Whether two addresses are the same, port and zone included. */
bool uva__sockaddr_equal(const uva__sockaddr_t *a, const uva__sockaddr_t *b);

/** The system's number of a family. */
static inline int uva__family(uva_family_t family)
{
    return family == UVA_FAMILY_IPV4   ? AF_INET
           : family == UVA_FAMILY_IPV6 ? AF_INET6
                                       : AF_UNSPEC;
}

/** Make a user's address of a system's. */
int uva__address_from(const uva__sockaddr_t *from, uva_address_t *ret_address);
/** The same of the local end of a socket. */
int uva__address_of_socket(int fd, uva_address_t *ret_address);
/** "('127.0.0.1', 80)", as asyncio writes it. */
#define UVA__ADDRESS_TEXT 80
void uva__address_format(const uva__sockaddr_t *address, char *text);

#endif /* UVA__IO_ADDRESS_H */
