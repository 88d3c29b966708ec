/*
 * A network in memory, on which servers and connections of virtual loops find
 * each other by host and port (uva/testing.h).
 */
#ifndef UVA__IO_NETWORK_H
#define UVA__IO_NETWORK_H

#include "uva/testing.h"

#include "io/address.h"
#include "io/medium.h"

/* A port of a network that a server has. */
typedef struct uva__binding_s uva__binding_t;

/**
 * Find the address of a host that is no number. "localhost" is the loopback
 * address; every other name gets one of its own when it is first asked for.
 *
 * @param family AF_UNSPEC (IPv4), AF_INET or AF_INET6.
 * @retval UV_EAI_NONAME The host is a number of another family.
 * @retval UV_ENOMEM     There is no memory.
 */
int uva__network_resolve(uva_testing_network_t *network,
                         const char *host,
                         int family,
                         int port,
                         uva__sockaddr_t *ret_address);
/**
 * Connect to an address. The medium tells that it is writable when the
 * connection is there, or was refused: uva__medium_memory_status tells which.
 *
 * @param locals To connect from: the first of the family. None: any.
 * @retval UV_EADDRNOTAVAIL No local address is of the family.
 * @retval UV_EADDRINUSE    A server has the local address.
 * @retval UV_ENOMEM        Nothing was made.
 */
int uva__network_connect(uva_testing_network_t *network,
                         uva_loop_t *loop,
                         const uva__sockaddr_t *address,
                         const uva__addresses_t *locals,
                         uva__medium_t **ret_medium);

/** The address that a connect to address reaches: the loopback address for one
 * of all, else itself. */
uva__sockaddr_t uva__network_reached(const uva__sockaddr_t *address);

/**
 * Take a port. Connections are refused until it listens.
 *
 * @param address Port 0 lets the network choose one.
 * @param arrived Called in the drain when it is watched and a connection can be
 *                accepted. Does not come after the close.
 * @retval UV_EADDRINUSE There is a server.
 * @retval UV_ENOMEM     Nothing was made.
 */
int uva__network_bind(uva_testing_network_t *network,
                      uva_loop_t *loop,
                      const uva__sockaddr_t *address,
                      void (*arrived)(void *data),
                      void *data,
                      uva__binding_t **ret_binding);
/** Connections are made from now on; those that are not accepted wait, however
 * many they are. */
void uva__binding_listen(uva__binding_t *binding);
/** Call arrived while connections wait, or call it no more. */
void uva__binding_watch(uva__binding_t *binding, bool wanted);
/** Take the connection that has waited for longest. @return 0, or UV_EAGAIN
 * when none waits. */
int uva__binding_accept(uva__binding_t *binding,
                        uva__sockaddr_t *ret_peer,
                        uva__medium_t **ret_medium);
/** The address, with the port that was chosen. */
const uva__sockaddr_t *uva__binding_address(const uva__binding_t *binding);
/** Give the port back. Connections that wait are reset. */
void uva__binding_close(uva__binding_t *take_binding);

#endif /* UVA__IO_NETWORK_H */
