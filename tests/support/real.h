/*
 * For tests that put a function of their own in the place of the system's.
 */
#ifndef TEST_REAL_H
#define TEST_REAL_H

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/** Find the system's own function; fn points to a pointer to one. */
static inline void real(const char *name, void *fn)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) {
        abort();
    }
    memcpy(fn, &found, sizeof found);
}

#endif /* TEST_REAL_H */
