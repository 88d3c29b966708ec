/* What src/core/coro needs of src/base, without libuv. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"

void *uva__calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

void uva__free(void *pointer)
{
    free(pointer);
}

void uva__assert_failed(const char *condition, const char *here)
{
    fprintf(stderr, "%s: %s\n", here, condition);
    abort();
}
