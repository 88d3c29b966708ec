/*
 * The calls of a loop to its services.
 *
 * Invariant: a loop whose services were never used has none of them, and calls
 * nothing. A service puts itself into its place at its first use.
 */
#include "core/services.h"

#include "core/loop.h"

/* Call one function of all services that have it. A service may take itself out
 * of the loop by it. */
#define SERVICES_CALL(loop, function)                                \
    do {                                                             \
        for (unsigned i = 0; i < UVA__SERVICES; i++) {               \
            uva__service_t *service = (loop)->services[i];           \
            if (service != NULL && service->ops->function != NULL) { \
                service->ops->function(service);                     \
            }                                                        \
        }                                                            \
    } while (0)

void uva__services_flush(uva_loop_t *loop)
{
    SERVICES_CALL(loop, flush);
}

void uva__services_abandon(uva_loop_t *loop)
{
    SERVICES_CALL(loop, abandon);
}

void uva__services_look(uva_loop_t *loop)
{
    SERVICES_CALL(loop, look);
}

void uva__services_closing(uva_loop_t *loop)
{
    SERVICES_CALL(loop, closing);
}

void uva__services_closed(uva_loop_t *loop)
{
    SERVICES_CALL(loop, closed);
}

void uva__services_forked(uva_loop_t *loop)
{
    SERVICES_CALL(loop, forked);
}

void uva__services_stats(const uva_loop_t *loop, uva_loop_stats_t *stats)
{
    for (unsigned i = 0; i < UVA__SERVICES; i++) {
        uva__service_t *service = loop->services[i];
        if (service != NULL && service->ops->stats != NULL) {
            service->ops->stats(service, stats);
        }
    }
}

bool uva__services_own(const uva_loop_t *loop, const void *handle)
{
    for (unsigned i = 0; i < UVA__SERVICES; i++) {
        const uva__service_t *service = loop->services[i];
        if (service != NULL && service->ops->owns != NULL &&
            service->ops->owns(service, handle)) {
            return true;
        }
    }
    return false;
}

int uva__services_fork(uva_loop_t *loop)
{
    int r = 0;

    for (unsigned i = 0; i < UVA__SERVICES && r >= 0; i++) {
        uva__service_t *service = loop->services[i];
        if (service != NULL && service->ops->fork != NULL) {
            r = service->ops->fork(service);
        }
    }
    return r;
}
