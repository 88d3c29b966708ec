/*
 * All memory of the library comes from here, but for stacks. Every block
 * carries its size, so that live bytes can be counted and tests can prove that
 * nothing is left; tests can make any allocation fail.
 */
#ifndef UVA__BASE_ALLOC_H
#define UVA__BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/** As their namesakes in libc, on any thread. A size of 0 gives a block that is
 * to be freed like others. */
void *uva__malloc(size_t size);
void *uva__calloc(size_t count, size_t size);
/** NULL without memory: the block at pointer is unchanged then. */
void *uva__realloc(void *pointer, size_t size);
/** Only for blocks of these functions; nothing for NULL. */
void uva__free(void *pointer);

/** Copy a string; the caller owns the copy. NULL without memory, and for NULL.
 */
char *uva__strdup(const char *text);

/** Whether loops made from now on allocate every object by itself (tests). */
bool uva__alloc_strict(void);

#endif /* UVA__BASE_ALLOC_H */
