/*
 * Addresses of sockets in four forms: the system's (uva__sockaddr_t), one that
 * is kept for long (uva__peer_t), the user's (uva_address_t of
 * uva/transports.h), and text for messages.
 */
#ifndef UVA__IO_ADDRESS_H
#define UVA__IO_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "uva/transports.h"

/* A system's address: IPv4, IPv6 with its zone, or of a unix socket.
 * any.sa_family says which member holds it. */
typedef struct uva__sockaddr_s {
    socklen_t size; /* As bind and connect expect it. A unix socket's name has
                       no other end: an abstract one may have zeros in it. */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
} uva__sockaddr_t;

/** The most bytes that the system may write into one. */
#define UVA__SOCKADDR_MOST ((socklen_t)sizeof(struct sockaddr_un))

/* The address of a peer, as a transport keeps it: the name of a unix socket
 * lies beside it, as it is long and most peers have none. */
typedef struct uva__peer_s {
    sa_family_t family; /* Which member of the union is valid. */
    in_port_t port;     /* Of the internet, in network order. */
    uint32_t zone;      /* Of IPv6. */
    union {
        struct in_addr in;
        struct in6_addr in6;
        uva__sockaddr_t *name; /* Owned: of a unix socket; NULL without one. */
    };
} uva__peer_t;

/* The addresses of a name, in the order of the resolver. Zeroed: none. */
typedef struct uva__addresses_s {
    uva__sockaddr_t *items; /* Owned. NULL if there are none. */
    size_t count;
} uva__addresses_t;

/** Free the addresses and zero the struct. Zeroed ones may be cleared. */
void uva__addresses_clear(uva__addresses_t *addresses);

/** Whether two addresses of the internet are the same, port and zone included.
 */
bool uva__sockaddr_equal(const uva__sockaddr_t *a, const uva__sockaddr_t *b);
/**
 * Make the address of a path: "@name" is an abstract one.
 *
 * @return 0, or a code with a text:
 * @retval UV_EINVAL       The path is NULL, or empty, or "@".
 * @retval UV_ENAMETOOLONG The system has no room for it.
 * @retval UV_ENOTSUP      Abstract names are Linux's alone.
 */
int uva__sockaddr_unix(const char *path, uva__sockaddr_t *ret_address);
/** The same as the one address of a target. @retval UV_ENOMEM Nothing was made.
 */
int uva__addresses_unix(const char *path, uva__addresses_t *ret_addresses);
/** Let the families take turns, with so many addresses of the first one's
 * family ahead; the order within a family stays. 0 leaves all as the resolver
 * has it. asyncio: base_events.py, _interleave_addrinfos. */
void uva__addresses_interleave(uva__addresses_t *addresses, size_t ahead);
/** Whether it is the name of a file: of a unix socket, and not abstract. */
bool uva__sockaddr_is_file(const uva__sockaddr_t *address);
/** Bytes of the name of a unix socket as a text, with its zero. */
#define UVA__UNIX_NAME (sizeof(((struct sockaddr_un *)0)->sun_path) + 1)
/** Write the name of a unix socket into UVA__UNIX_NAME bytes. Each zero of an
 * abstract name is shown as "@", as the system does. */
void uva__sockaddr_name(const uva__sockaddr_t *address, char *text);

/** Keep an address; unknown ones are kept as such. peer is zeroed, or cleared.
 * @retval UV_ENOMEM Nothing is kept. */
int uva__peer_set(uva__peer_t *peer, const uva__sockaddr_t *address);
/** Free what a kept address owns, and zero it. */
void uva__peer_clear(uva__peer_t *peer);
/** The address that is kept. */
uva__sockaddr_t uva__peer_get(const uva__peer_t *peer);

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
 * @retval UV_EAFNOSUPPORT It is of another family; nothing was written.
 */
int uva__address_from(const uva__sockaddr_t *from, uva_address_t *ret_address);
/** The system's address of the local end of an open socket. @return 0, or the
 * code of getsockname. */
int uva__sockaddr_of_socket(int fd, uva__sockaddr_t *ret_address);
/** The same of the remote end, by getpeername. */
int uva__sockaddr_of_peer(int fd, uva__sockaddr_t *ret_address);
/** The user's address of the local end of an open socket. */
int uva__address_of_socket(int fd, uva_address_t *ret_address);
/** Bytes that uva__address_format needs at most. */
#define UVA__ADDRESS_TEXT 128
/** Write "('127.0.0.1', 80)" or "'/run/socket'" as asyncio does, or "(?)" for
 * an address of an unknown family. text has room for UVA__ADDRESS_TEXT bytes.
 */
void uva__address_format(const uva__sockaddr_t *address, char *text);
/** The same of an address that is kept. */
void uva__peer_format(const uva__peer_t *peer, char *text);

#endif /* UVA__IO_ADDRESS_H */
