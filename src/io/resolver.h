/*
 * Names to addresses.
 */
#ifndef UVA__IO_RESOLVER_H
#define UVA__IO_RESOLVER_H

#include "io/address.h"
#include "io/io.h"

/* A look-up; it may outlive the operation that asked for it. */
typedef struct uva__resolve_s uva__resolve_t;
/** status: 0 with addresses to be taken, or a code. Runs inside the poll. */
typedef void (*uva__resolve_cb)(void *data,
                                int status,
                                uva__addresses_t *take_addresses);

/* A name that is to be looked up. */
typedef struct uva__name_s {
    const char *host; /* NULL or "" is this host. */
    const char *port;
    int family;   /* AF_UNSPEC, AF_INET, AF_INET6. */
    bool passive; /* To listen: no host means all addresses. */
} uva__name_t;

/**
 * Find the addresses of a name.
 *
 * @retval 1 They are there: it was numeric.
 * @retval 0 callback comes; *ret_resolve is it until then.
 */
int uva__resolve(uva_loop_t *loop,
                 const uva__name_t *name,
                 uva__resolve_cb callback,
                 void *data,
                 uva__addresses_t *ret_addresses,
                 uva__resolve_t **ret_resolve);
/** Say that a host could not be looked up. @return code. */
int uva__resolve_failed(const char *host, int code);
/** Whether a port can be one. @return 0, or UV_EINVAL with words. */
int uva__port_check(const char *port);
/** The host has closed the loop's handles: leave all look-ups to themselves.
 * They end when the resolver answers, if the host still turns then. */
void uva__resolve_leave(uva__io_t *io);
/** No task is left: log the look-ups that do not end soon. */
void uva__resolve_hold_up(uva__io_t *io);
/** Forget a look-up: its callback does not come. */
void uva__resolve_cancel(uva__resolve_t *resolve);

#endif /* UVA__IO_RESOLVER_H */
