/*
 * How deep a stack was used: the lowest byte that is not zero.
 *
 * Invariant: a stack that is marked clean is all zero below what its use
 * keeps. Pages that are not resident are zero without a look; one that was
 * swapped out counts as such, which is the only error, and a small one.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/stacks.h"

#include <sys/mman.h>

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif

#include "stack/guards.h"

enum {
    CENSUS_PAGE_COUNT = 64, /* Looked up with one call. */
    CENSUS_RED_ZONE_BYTES = 256,
    CENSUS_ZERO_PAGE_COUNT = 4 /* More are dropped, not written. */
};

/* Sets an element for each page from low on; all of them if nobody knows. */
static void census_resident(char *low, unsigned char *pages, size_t count)
{
#if defined(__linux__)
    if (mincore(low, count * uva__page_bytes(), pages) == 0) {
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) {
        pages[i] = 1;
    }
    (void)low;
}

UVA__NO_ASAN static const uintptr_t *census_scan(const char *low,
                                                 const char *end)
{
    const uintptr_t *word = (const uintptr_t *)(const void *)low;
    const uintptr_t *stop = (const uintptr_t *)(const void *)end;

#if defined(UVA_HAVE_VALGRIND)
    /* Dead frames are out of bounds for memcheck. */
    VALGRIND_MAKE_MEM_DEFINED(low, end - low);
#endif
    for (; word + 8 <= stop; word += 8) {
        if ((word[0] | word[1] | word[2] | word[3] | word[4] | word[5] |
             word[6] | word[7]) != 0) {
            break;
        }
    }
    while (word < stop && *word == 0) {
        word++;
    }
    return word;
}

/* The lowest word that is not zero; the top of the stack if there is none. */
static char *census_find(const uva__stack_t *stack)
{
    unsigned char pages[CENSUS_PAGE_COUNT];
    size_t page_bytes = uva__page_bytes();
    char *top = stack->low + uva__stack_bytes(stack);
    char *low = stack->low;

    while (low < top) {
        size_t count = ((size_t)(top - low) + page_bytes - 1) / page_bytes;
        if (count > CENSUS_PAGE_COUNT) {
            count = CENSUS_PAGE_COUNT;
        }
        census_resident(low, pages, count);
        for (size_t i = 0; i < count; i++, low += page_bytes) {
            const char *end = low + page_bytes < top ? low + page_bytes : top;
            const char *dirty;
            if ((pages[i] & 1) == 0) {
                continue;
            }
            dirty = (const char *)census_scan(low, end);
            if (dirty < end) {
                return low + (dirty - low);
            }
        }
    }
    return top;
}

/* Volatile, or compilers would call memset: a frame of its own, and checked
 * by ASan. */
UVA__NO_ASAN static void census_zero(char *low, const char *end)
{
    volatile uintptr_t *word = (volatile uintptr_t *)(void *)low;

#if defined(UVA_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(low, end - low);
#endif
    while ((const volatile char *)word < end) {
        *word++ = 0;
    }
}

/* From where on the stack is in use. */
static char *census_kept(uva__stack_t *stack)
{
    char *here = __builtin_frame_address(0);

    if (here >= stack->low && here < uva__stack_top(stack)) {
        here -= CENSUS_RED_ZONE_BYTES;
        return here - (uintptr_t)here % sizeof(uintptr_t);
    }
    if (stack->context.sp != NULL) {
#if defined(UVA__SWITCH_UCONTEXT)
        /* The sp is a variable of the frame that is suspended. */
        return (char *)stack->context.sp - CENSUS_RED_ZONE_BYTES;
#else
        return stack->context.sp;
#endif
    }
    return uva__stack_top(stack);
}

/* Zero everything from dirty up to what is in use. */
static void census_clean(uva__stack_t *stack, char *dirty)
{
    size_t page_bytes = uva__page_bytes();
    char *kept = census_kept(stack);
    char *first = dirty - (uintptr_t)dirty % page_bytes;
    char *last = kept - (uintptr_t)kept % page_bytes;

    if (dirty >= kept) {
        return;
    }
    if (last > first &&
        (size_t)(last - first) / page_bytes > CENSUS_ZERO_PAGE_COUNT &&
        madvise(first, (size_t)(last - first), MADV_DONTNEED) == 0) {
        dirty = last;
    }
    census_zero(dirty, kept);
}

size_t uva__stack_high_water(const uva__stack_t *stack)
{
    return (size_t)((const char *)stack - census_find(stack));
}

size_t uva__stack_census(uva__stack_t *stack)
{
    char *dirty = census_find(stack);
    size_t bytes = (size_t)(uva__stack_top(stack) - dirty);

    census_clean(stack, dirty);
    stack->clean = 2;
    return bytes;
}

void uva__stack_clean(uva__stack_t *stack)
{
    census_clean(stack, census_find(stack));
    stack->clean = 1;
}
