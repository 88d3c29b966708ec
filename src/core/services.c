/*
 * The calls of a loop to its services.
 *
 * Invariant: a loop whose services were never used has none of them, and calls
 * nothing. A service puts itself into its place at its first use.
 */
#include "core/services.h"

#include "core/loop.h"

void uva__services_flush(uva_loop_t *loop)
{
    for (unsigned i = 0; i < UVA__SERVICES; i++) {
        if (loop->services[i] != NULL) {
            loop->services[i]->ops->flush(loop->services[i]);
        }
    }
}

void uva__services_abandon(uva_loop_t *loop)
{
    for (unsigned i = 0; i < UVA__SERVICES; i++) {
        if (loop->services[i] != NULL) {
            loop->services[i]->ops->abandon(loop->services[i]);
        }
    }
}

void uva__services_look(uva_loop_t *loop)
{
    for (unsigned i = 0; i < UVA__SERVICES; i++) {
        if (loop->services[i] != NULL) {
            loop->services[i]->ops->look(loop->services[i]);
        }
    }
}

void uva__services_closed(uva_loop_t *loop)
{
    for (unsigned i = 0; i < UVA__SERVICES; i++) {
        if (loop->services[i] != NULL) {
            /* The service frees itself, and takes itself out of the loop. */
            loop->services[i]->ops->closed(loop->services[i]);
        }
    }
}
