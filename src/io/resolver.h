/*
 * Names to addresses: of numbers at once, of other names by libuv's pool of
 * threads.
 */
#ifndef UVA__IO_RESOLVER_H
#define UVA__IO_RESOLVER_H

#include "io/address.h"
#include "io/io.h"

/* A look-up that is under way. It owns itself, and may outlive the operation
 * that asked for it. */
typedef struct uva__resolve_s uva__resolve_t;
/** A look-up has ended. status: 0 with one address or more, which the callback
 * owns, or a code. Runs inside the poll: store and wake, run no user's code. */
typedef void (*uva__resolve_cb)(void *data,
                                int status,
                                uva__addresses_t *take_addresses);

/* A name that is to be looked up. */
typedef struct uva__name_s {
    const char *host; /* Borrowed. NULL or "" is this host. */
    const char *port; /* Borrowed. A number in digits, or a service. */
    int family;       /* AF_UNSPEC, AF_INET, AF_INET6. */
    bool passive;     /* To listen: no host means all addresses. */
} uva__name_t;

/**
 * Find the addresses of a name. The loop has io's part (uva__io_get).
 *
 * @retval 1 *ret_addresses has them, owned by the caller: the name was numeric.
 * @retval 0 callback comes, exactly once, in a later turn. Until then
 *           *ret_resolve may be given to uva__resolve_cancel.
 * @return A code with the text of the error; callback does not come.
 */
int uva__resolve(uva_loop_t *loop,
                 const uva__name_t *name,
                 uva__resolve_cb callback,
                 void *data,
                 uva__addresses_t *ret_addresses,
                 uva__resolve_t **ret_resolve);
/** Set the text of an error: this host could not be looked up. @return code. */
int uva__resolve_failed(const char *host, int code);
/** Whether a host and a port can be looked up. @return 0, or a code with a
 * text: UV_ENAMETOOLONG for the host, UV_EINVAL for the port. host may be NULL.
 */
int uva__name_check(const char *host, const char *port);
/** The host has closed the loop's handles: leave all look-ups to themselves, so
 * that the loop can end. Each is freed when libuv calls back; if the host does
 * not run its uv_loop_t again, that never happens. */
void uva__resolve_leave(uva__io_t *io);
/** No task is left: log the look-ups that do not end within a second. */
void uva__resolve_hold_up(uva__io_t *io);
/** Forget a look-up: its callback does not come. Cannot fail; the look-up
 * itself may run on, and keeps the loop from ending until the system answers.
 */
void uva__resolve_cancel(uva__resolve_t *resolve);

#endif /* UVA__IO_RESOLVER_H */
