/*
 * The list of all loops of the process, for forks and for debuggers.
 *
 * Invariant: a loop is in the list from its making until it is freed. A mutex
 * orders the threads that change it; a debugger reads it while the process
 * stands still. The list itself is defined in debug_descriptor.c.
 */
#include "core/registry.h"

#include "core/loop.h"

#include <pthread.h>

/* Of pthread and not of libuv: it needs no call to be initialised, and the
 * handlers of pthread_atfork take it. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;

void uva__registry_lock(void)
{
    pthread_mutex_lock(&registry_mutex);
}

void uva__registry_unlock(void)
{
    pthread_mutex_unlock(&registry_mutex);
}

bool uva__registry_has(const uva_loop_t *loop)
{
    UVA__LIST_FOREACH (known, &uva__registry, uva_loop_t, registered) {
        if (known == loop) {
            return true;
        }
    }
    return false;
}

void uva__registry_add(uva_loop_t *loop)
{
    uva__registry_lock();
    uva__list_append(&uva__registry, &loop->registered);
    uva__registry_unlock();
}

void uva__registry_remove(uva_loop_t *loop)
{
    uva__registry_lock();
    uva__list_remove(&loop->registered);
    uva__registry_unlock();
}
