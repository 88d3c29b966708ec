/*
 * How deep a stack was used, and how deep it can be.
 */
#include <check.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "pool.h"
#include "stack/measure.h"
#include "stack/stacks.h"

static UVA__NOINLINE long dig(const char *stop)
{
    volatile char frame[1000];

    /* An index that is not constant keeps the whole array. */
    frame[(uintptr_t)stop % sizeof frame] = 1;
    if ((const char *)__builtin_frame_address(0) < stop) {
        return 1;
    }
    return dig(stop) + frame[(uintptr_t)stop % sizeof frame];
}

START_TEST(high_water_is_exact)
{
    uva__stack_t *stack;

    pool_begin(NULL);
    stack = take(0);
    for (size_t depth = 8; depth < uva__stack_bytes(stack); depth = depth * 3) {
        size_t bytes = depth / 8 * 8;
        *(uintptr_t *)(void *)(uva__stack_top(stack) - bytes) = 1;
        ck_assert_uint_eq(uva__stack_high_water(stack), bytes);
    }
    *(uintptr_t *)(void *)stack->low = 1;
    ck_assert_uint_eq(uva__stack_high_water(stack), uva__stack_bytes(stack));
    uva__stack_put(&pool, stack);
    pool_end();
}
END_TEST

START_TEST(measure_cleans)
{
    static const size_t depths[] = {64, 5000, 20000, 60000};
    uva__stack_t *stack;

    pool_begin(NULL);
    for (size_t i = 0; i < UVA__COUNT(depths); i++) {
        stack = take(0);
        ck_assert(uva__stack_is_clean(stack));
        memset(uva__stack_top(stack) - depths[i], 0xa5, depths[i]);
        ck_assert_uint_eq(uva__stack_measure(stack), depths[i]);
        ck_assert_uint_eq(uva__stack_high_water(stack), 0);
        ck_assert_uint_le(resident_pages(stack), 6);
        uva__stack_put(&pool, stack);
    }
    /* Without a measurement the next use is not clean; one makes it so again.
     */
    stack = take(0);
    uva__stack_put(&pool, stack);
    stack = take(0);
    ck_assert(!uva__stack_is_clean(stack));
    uva__stack_clean(stack);
    ck_assert(uva__stack_is_clean(stack));
    uva__stack_put(&pool, stack);
    stack = take(0);
    ck_assert(!uva__stack_is_clean(stack));
    uva__stack_put(&pool, stack);
    pool_end();
}
END_TEST

static void body_parks(flow_t *flow)
{
    for (int i = 1;; i++) {
        flow->value = i;
        flow_suspend(flow);
        ck_assert_int_eq(flow->value, i);
        if (i == 3) {
            return;
        }
    }
}

/* What is suspended on the stack survives. */
START_TEST(measure_keeps_the_suspended)
{
    flow_t flow = {0};
    size_t first;

    pool_begin(NULL);
    flow.stack = take(0);
    flow_make(&flow, body_parks, NULL);
    flow_resume(&flow);
    flow.stack->context = flow.context;
    *(uintptr_t *)(void *)(uva__stack_top(flow.stack) - 16000) = 1;
    ck_assert_uint_eq(uva__stack_measure(flow.stack), 16000);
    first = uva__stack_high_water(flow.stack);
    ck_assert_uint_gt(first, 0);
    ck_assert_uint_lt(first, 12000); /* ucontext keeps a lot. */
    while (!flow.done) {
        flow_resume(&flow);
    }
    flow.stack->context = (uva__context_t){0};
    uva__context_destroy(&flow.context);
    uva__stack_put(&pool, flow.stack);
    pool_end();
}
END_TEST

static void body_measure(flow_t *flow)
{
    size_t *depths = flow->arg;

    dig(flow->stack->low + 100000);
    depths[0] = uva__stack_measure(flow->stack);
    depths[1] = uva__stack_high_water(flow->stack);
    dig(uva__stack_top(flow->stack) - 20000);
    depths[2] = uva__stack_measure(flow->stack);
}

START_TEST(measure_on_the_stack_itself)
{
    size_t depths[3] = {0};
    flow_t flow = {0};
    size_t bytes;

    pool_begin(NULL);
    flow.stack = take(0);
    bytes = uva__stack_bytes(flow.stack);
    flow_make(&flow, body_measure, depths);
    flow_resume(&flow);
    ck_assert(flow.done);
    ck_assert_uint_ge(depths[0], bytes - 100000);
    ck_assert_uint_le(depths[0], bytes - 90000);
    ck_assert_uint_le(depths[1], 16000);
    ck_assert_uint_ge(depths[2], 20000);
    ck_assert_uint_le(depths[2], 30000);
    uva__context_destroy(&flow.context);
    uva__stack_put(&pool, flow.stack);
    pool_end();
}
END_TEST

static void body_dig(flow_t *flow)
{
    flow->value = dig(flow->stack->low + 8192) > 10;
    *(bool *)flow->arg = flow->value != 0;
}

START_TEST(recursion_has_nearly_all_of_it)
{
    static const size_t sizes[] = {64 << 10, 256 << 10, 1 << 20, 4 << 20};

    for (int i = UVA__STACK_GUARD_AUTO; i <= UVA__STACK_GUARD_CANARY; i++) {
        const uva__stack_options_t options = {.guard = (uva__stack_guard_t)i};
        pool_begin(&options);
        for (size_t k = 0; k < UVA__COUNT(sizes); k++) {
            bool deep = false;
            ck_assert_int_eq(flow_run(&pool, sizes[k], body_dig, &deep), 0);
            ck_assert(deep);
        }
        pool_end();
    }
}
END_TEST

static Suite *measure_suite(void)
{
    Suite *suite = suite_create("measure");
    TCase *water = tcase_create("HighWater");
    TCase *recursion = tcase_create("Recursion");

    suite_add_tcase(suite, water);
    tcase_add_test(water, high_water_is_exact);
    tcase_add_test(water, measure_cleans);
    tcase_add_test(water, measure_keeps_the_suspended);
    tcase_add_test(water, measure_on_the_stack_itself);

    suite_add_tcase(suite, recursion);
    tcase_add_test(recursion, recursion_has_nearly_all_of_it);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(measure_suite());
    int failed_count;

    srunner_run_all(runner, CK_ENV);
    failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
