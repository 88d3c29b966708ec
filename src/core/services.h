/*
 * Services: parts beside the core that live on a loop, like sockets. The loop
 * knows only what every service has, and calls it at the moments below.
 */
#ifndef UVA__CORE_SERVICES_H
#define UVA__CORE_SERVICES_H

#include "uva/events.h"

/* The place of a service in uva_loop_t.services: it finds its own state there.
 */
typedef enum uva__service_number_e {
    UVA__SERVICE_IO,
    UVA__SERVICE_SIGNALS,
    UVA__SERVICE_THREADS,
    UVA__SERVICES
} uva__service_number_t;

typedef struct uva__service_s uva__service_t;

/* NULL where a service has nothing to do. */
typedef struct uva__service_ops_s {
    /** A task has run outside of the drain, so that no end of a drain follows:
     * do the work that was put off to there. */
    void (*flush)(uva__service_t *service);
    /** The loop is shut down and no task is left: end the operations that are
     * in flight, and begin to end what shall end with the loop. Called after
     * each turn until no operation is in flight. */
    void (*abandon)(uva__service_t *service);
    /** At the begin and the end of each turn of a loop whose uv_loop_t others
     * have too: they may have closed handles of the service, of which libuv
     * tells nothing. Their memory may go when libuv calls back for a close:
     * behind the turn. */
    void (*look)(uva__service_t *service);
    /** The loop closes, and its driver next: close the handles that are open.
     */
    void (*closing)(uva__service_t *service);
    /** The loop is closed: free the service, and take it out of the loop. */
    void (*closed)(uva__service_t *service);
    /** Add to the statistics of the loop. */
    void (*stats)(uva__service_t *service, uva_loop_stats_t *stats);
    /** Whether an open handle of libuv is closed by closing: it does not keep
     * the loop from being closed. */
    bool (*owns)(const uva__service_t *service, const void *handle);
    /** In the child, inside fork: let go of what is shared with the parent. */
    void (*forked)(uva__service_t *service);
    /** uva_loop_fork, after the driver: go on in the child. */
    int (*fork)(uva__service_t *service);
} uva__service_ops_t;

/* The state of every service begins with this. */
struct uva__service_s {
    const uva__service_ops_t *ops;
};

/* Call the function of this name in every service that the loop has. The loop's
 * thread; when, the members above say. */

void uva__services_flush(uva_loop_t *loop);
void uva__services_abandon(uva_loop_t *loop);
void uva__services_look(uva_loop_t *loop);
void uva__services_closing(uva_loop_t *loop);
void uva__services_closed(uva_loop_t *loop);
void uva__services_stats(const uva_loop_t *loop, uva_loop_stats_t *stats);
void uva__services_forked(uva_loop_t *loop);
/** Whether any owns the handle. */
bool uva__services_own(const uva_loop_t *loop, const void *handle);
/** @return 0, or the code of one that failed. */
int uva__services_fork(uva_loop_t *loop);

#endif /* UVA__CORE_SERVICES_H */
