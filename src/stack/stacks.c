/*
 * The stack pool: classes of stacks, and the lists of idle ones.
 *
 *   a slot is   where                           from there to
 *   fresh       a bit in its slab               in use (slab take)
 *   in use      with its holder                 idle (put)
 *   idle        in `idle` of its class          in use (get), fresh (trim)
 *
 * Invariant: each slot is in exactly one of these states. touched_count of a
 * class counts all that are not fresh.
 */
#include "stack/stacks.h"

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif

#include "uva/errors.h"

#include "stack/overflow.h"
#include "stack/trim.h"

#define STACK_CANARY_WORDS 32 /* Right below the lowest usable byte. */

/* The smallest class for a size in bytes of a plain build; NULL if it is too
 * large. */
static uva__stack_class_t *pool_class(uva__stack_pool_t *pool,
                                      size_t size_bytes)
{
    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        if (size_bytes <= pool->classes[i].slot_bytes >> uva__slab_scale()) {
            return &pool->classes[i];
        }
    }
    return NULL;
}

int uva__stack_pool_init(uva__stack_pool_t *pool,
                         const uva__stack_options_t *options)
{
    static const uva__stack_options_t defaults = {0};
    size_t slot_bytes = (size_t)64 << 10 << uva__slab_scale();
    size_t default_bytes;

    if (options == NULL) {
        options = &defaults;
    }
    default_bytes = options->default_bytes != 0 ? options->default_bytes
                                                : UVA__STACK_DEFAULT_BYTES;
    if ((unsigned)options->guard > UVA__STACK_GUARD_CANARY) {
        return UV_EINVAL;
    }
    *pool = (uva__stack_pool_t){
        .guard = (uint8_t)options->guard,
        .limit_bytes = options->limit_bytes,
    };
    if (options->guard == UVA__STACK_GUARD_AUTO) {
        pool->guard = (uint8_t)uva__stack_guard_probe();
    }
    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        uva__slab_class_init(&pool->classes[i], slot_bytes);
        slot_bytes *= i < 2 ? 4 : 2; /* 64 KiB, 256 KiB, 1 MiB, 2 MiB, ... */
    }
    pool->standard = pool_class(pool, default_bytes);
    return pool->standard != NULL ? 0 : UV_EINVAL;
}

void uva__stack_pool_destroy(uva__stack_pool_t *pool)
{
    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        uva__slab_class_destroy(&pool->classes[i], pool);
    }
    pool->touched_bytes = 0;
}

/* Whether one more touched slot of a class would exceed the pool's limit. Idle
 * stacks count, since their pages may be there. */
static bool pool_limit_reached(uva__stack_pool_t *pool,
                               const uva__stack_class_t *home)
{
    return pool->limit_bytes != 0 &&
           pool->limit_bytes - pool->touched_bytes < home->slot_bytes;
}

/* Every size but the default, and the default size when no stack of it is idle.
 * A used stack goes before a fresh slot: its pages are there. */
int uva__stack_get_slow(uva__stack_pool_t *pool,
                        size_t size_bytes,
                        uva__stack_t **ret_stack)
{
    uva__stack_class_t *home =
        size_bytes == 0 ? pool->standard : pool_class(pool, size_bytes);
    int r;

    if (home == NULL) {
        return UV_EINVAL;
    }
    if (home->idle != NULL) {
        uva__stack_t *stack = home->idle;
        home->idle = stack->next;
        uva__stack_unpoison(stack);
        *ret_stack = stack;
        return 0;
    }
    if (pool_limit_reached(pool, home)) {
        /* Idle stacks of other sizes must not count against this one. */
        uva__stack_pool_trim(pool);
        if (pool_limit_reached(pool, home)) {
            return UV_EAGAIN;
        }
    }
    r = uva__slab_take(home, pool, ret_stack);
    if (r < 0) {
        return r;
    }
    uva__stack_unpoison(*ret_stack);
    return 0;
}

size_t uva__stack_pool_count(const uva__stack_pool_t *pool)
{
    size_t count = 0;

    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        const uva__stack_class_t *home = &pool->classes[i];
        count += home->touched_count;
        for (const uva__stack_t *s = home->idle; s != NULL; s = s->next) {
            count--;
        }
    }
    return count;
}

uva__stack_guard_t uva__stack_pool_guard(const uva__stack_pool_t *pool)
{
    if (pool->guard == UVA__STACK_GUARD_MARKER && pool->locked) {
        return UVA__STACK_GUARD_MPROTECT;
    }
    return (uva__stack_guard_t)pool->guard;
}

UVA__NO_ASAN void uva__stack_check_slow(uva__stack_t *stack, const char *sp)
{
    const uintptr_t *word = (const uintptr_t *)(const void *)stack->low;
    uintptr_t seen = 0;

    if (stack->guard != UVA__STACK_GUARD_CANARY) {
        return;
    }
    /* The canary is the zero of a page in the gap that nobody touches. Reading
     * it costs no memory; a canary that is written would cost each stack a
     * page. */
#if defined(UVA_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(word - STACK_CANARY_WORDS,
                              STACK_CANARY_WORDS * sizeof *word);
#endif
    for (int i = 1; i <= STACK_CANARY_WORDS; i++) {
        seen |= word[-i];
    }
    if (seen != 0 ||
        (sp != NULL && (sp < stack->low || sp > uva__stack_top(stack)))) {
        uva__overflow_die(stack);
    }
}
