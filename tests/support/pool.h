/*
 * The one stack pool of a test, and a look at the pages of a stack.
 */
#ifndef TEST_POOL_H
#define TEST_POOL_H

#include <check.h>

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/stacks.h"

static uva__stack_pool_t pool;

static UVA_UNUSED void pool_begin(const uva__stack_options_t *options)
{
    ck_assert_int_eq(uva__stack_pool_init(&pool, options), 0);
}

static UVA_UNUSED void pool_end(void)
{
    ck_assert_uint_eq(uva__stack_pool_count(&pool), 0);
    uva__stack_pool_destroy(&pool);
    ck_assert_uint_eq(pool.mapped_bytes, 0);
    ck_assert_uint_eq(pool.touched_bytes, 0);
}

static UVA_UNUSED uva__stack_t *take(size_t size_bytes)
{
    uva__stack_t *stack;

    ck_assert_int_eq(uva__stack_get(&pool, size_bytes, &stack), 0);
    return stack;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Resident pages of what a slot can use. */
static UVA_UNUSED size_t resident_pages(const uva__stack_t *stack)
{
    unsigned char pages[4096];
    size_t count = 0;
    size_t total = (uva__stack_bytes(stack) + page_bytes() - 1) / page_bytes();

    ck_assert_uint_le(total, sizeof pages);
    ck_assert_int_eq(mincore(stack->low, total * page_bytes(), pages), 0);
    for (size_t i = 0; i < total; i++) {
        count += pages[i] & 1u;
    }
    return count;
}

#endif /* TEST_POOL_H */
