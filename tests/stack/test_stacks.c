/*
 * The stack pool: order, sizes, guards, limits, trimming, and how little of it
 * all the system sees.
 */
#include <check.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uva/alloc.h"
#include "uva/errors.h"
#include "uva/testing.h"

#include "child.h"
#include "flow.h"
#include "pool.h"
#include "stack/measure.h"
#include "stack/overflow.h"
#include "stack/stacks.h"
#include "stack/trim.h"

enum {
    CHILD_FINE = 42,
    CHILD_NOT_POSSIBLE = 44,
    MANY_COUNT = 100000,
    MILLION_COUNT = 1000000,
    TIER_COUNT = 20000
};

static long map_lines(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    long count = 0;
    int c;

    ck_assert_ptr_nonnull(file);
    while ((c = getc(file)) != EOF) {
        count += c == '\n';
    }
    fclose(file);
    return count;
}

static long available_kb(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    long kb = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            kb = strtol(line + 13, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kb;
}

/* --- Pool --- */

START_TEST(last_in_first_out)
{
    uva__stack_t *a;
    uva__stack_t *b;

    pool_begin(NULL);
    a = take(0);
    b = take(0);
    ck_assert_ptr_ne(a, b);
    uva__stack_put(&pool, a);
    uva__stack_put(&pool, b);
    ck_assert_ptr_eq(take(0), b);
    ck_assert_ptr_eq(take(0), a);
    ck_assert_uint_eq(uva__stack_pool_count(&pool), 2);
    uva__stack_put(&pool, a);
    uva__stack_put(&pool, b);
    pool_end();
}
END_TEST

START_TEST(fresh_stack)
{
    uva__stack_t *stack;

    pool_begin(NULL);
    stack = take(0);
    ck_assert(uva__stack_is_clean(stack));
    ck_assert_uint_eq(uva__stack_high_water(stack), 0);
    ck_assert_ptr_null(stack->owner);
    ck_assert_ptr_null(stack->context.sp);
    ck_assert_uint_eq((uintptr_t)uva__stack_top(stack) % 64, 0);
    ck_assert_uint_eq((uintptr_t)stack->low % page_bytes(), 0);
    /* Nothing but the page of the control block was touched. */
    ck_assert_uint_le(resident_pages(stack), 1);
    uva__stack_put(&pool, stack);
    pool_end();
}
END_TEST

START_TEST(sizes_are_classes)
{
    static const size_t wanted_kb[] = {1, 64, 65, 256, 257, 1024, 1025, 5000};
    static const size_t given_kb[] = {64, 64, 256, 256, 1024, 1024, 2048, 8192};
    size_t scale;

    pool_begin(NULL);
    scale = pool.standard->slot_bytes / UVA__STACK_DEFAULT_BYTES;
    ck_assert(scale == 1 || scale == 2 || scale == 4);
    for (size_t i = 0; i < UVA__COUNT(wanted_kb); i++) {
        uva__stack_t *stack = take(wanted_kb[i] * 1024);
        uva__stack_t *again;
        ck_assert_uint_eq(stack->home->slot_bytes, given_kb[i] * 1024 * scale);
        ck_assert_uint_ge(uva__stack_bytes(stack),
                          stack->home->slot_bytes / 16 * 15 - 4096);
        uva__stack_put(&pool, stack);
        again = take(wanted_kb[i] * 1024);
        ck_assert_ptr_eq(again, stack);
        uva__stack_put(&pool, again);
    }
    pool_end();
}
END_TEST

START_TEST(sizes_that_are_none)
{
    uva__stack_options_t options = {.default_bytes = ((size_t)1 << 30) + 1};
    uva__stack_t *stack = NULL;

    ck_assert_int_eq(uva__stack_pool_init(&pool, &options), UV_EINVAL);
    options = (uva__stack_options_t){.guard = (uva__stack_guard_t)9};
    ck_assert_int_eq(uva__stack_pool_init(&pool, &options), UV_EINVAL);
    pool_begin(NULL);
    ck_assert_int_eq(uva__stack_get(&pool, SIZE_MAX, &stack), UV_EINVAL);
    ck_assert_ptr_null(stack);
    pool_end();
}
END_TEST

START_TEST(default_size_can_be_set)
{
    uva__stack_options_t options = {.default_bytes = 70000};
    uva__stack_t *stack;

    pool_begin(&options);
    stack = take(0);
    ck_assert_ptr_eq(stack->home, &pool.classes[1]);
    uva__stack_put(&pool, stack);
    ck_assert_ptr_eq(take(100000), stack);
    uva__stack_put(&pool, stack);
    pool_end();
}
END_TEST

/* Tops differ by cache lines, and leave half a page to the first frames. */
START_TEST(tops_are_coloured)
{
    uva__stack_t *stacks[32];
    unsigned seen[64] = {0};
    unsigned count = 0;

    pool_begin(NULL);
    for (int i = 0; i < 32; i++) {
        size_t offset;
        stacks[i] = take(0);
        offset = (uintptr_t)uva__stack_top(stacks[i]) % 4096;
        ck_assert_uint_ge(offset, 1792);
        count += seen[offset / 64]++ == 0;
    }
    ck_assert_uint_ge(count, 16);
    for (int i = 0; i < 32; i++) {
        uva__stack_put(&pool, stacks[i]);
    }
    pool_end();
}
END_TEST

static void body_touch(flow_t *flow)
{
    volatile char frame[256];

    frame[0] = 1;
    flow->value = frame[0];
}

START_TEST(small_task_touches_one_page)
{
    flow_t flows[40] = {{.done = false}};

    pool_begin(NULL);
    for (int i = 0; i < 40; i++) {
        flows[i].stack = take(0);
        flow_make(&flows[i], body_touch, NULL);
        flow_resume(&flows[i]);
#if defined(UVA__SWITCH_ASSEMBLY) && !defined(UVA__ASAN) && !defined(UVA__TSAN)
        ck_assert_uint_eq(resident_pages(flows[i].stack), 1);
#endif
    }
    for (int i = 0; i < 40; i++) {
        uva__context_destroy(&flows[i].context);
        uva__stack_put(&pool, flows[i].stack);
    }
    pool_end();
}
END_TEST

/* --- Guard --- */

START_TEST(guards_have_names)
{
    uva__stack_guard_t guard = uva__stack_guard_probe();

    ck_assert(guard != UVA__STACK_GUARD_AUTO);
    ck_assert_str_eq(uva__stack_guard_name(UVA__STACK_GUARD_MARKER), "marker");
    ck_assert_str_eq(uva__stack_guard_name(UVA__STACK_GUARD_AUTO), "auto");
    printf("guard mode: %s\n", uva__stack_guard_name(guard));
}
END_TEST

static int child_environment(void *arg)
{
    uva__stack_t *stack;

    setenv("UVA_STACK_GUARD", arg, 1);
    if (uva__stack_pool_init(&pool, NULL) != 0 ||
        uva__stack_get(&pool, 0, &stack) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    if (strcmp(uva__stack_guard_name((uva__stack_guard_t)stack->guard), arg) ||
        strcmp(uva__stack_guard_name(uva__stack_guard_probe()), arg) != 0) {
        return 1;
    }
    return CHILD_FINE;
}

/* The first test of all: the probe is made once a process. */
START_TEST(environment_forces_a_guard)
{
    char mprotect_name[] = "mprotect";
    char canary_name[] = "canary";
    child_t child;

    child_run(&child, child_environment, mprotect_name);
    ck_assert(child_exited(&child, CHILD_FINE));
    child_run(&child, child_environment, canary_name);
    ck_assert(child_exited(&child, CHILD_FINE));
}
END_TEST

static int child_touch(void *arg)
{
    signal(SIGSEGV, SIG_DFL); /* Sanitizers have a handler. */
    *(volatile char *)arg = 1;
    return CHILD_FINE;
}

/* Both ends of every guard of a slab, and the bytes beside it. */
static void check_guard(uva__stack_guard_t guard, bool faults)
{
    const uva__stack_options_t options = {.guard = guard};
    uva__stack_t *stacks[20];
    child_t child;

    pool_begin(&options);
    for (int i = 0; i < 20; i++) {
        char *slot;
        stacks[i] = take(0);
        slot = stacks[i]->low - stacks[i]->home->guard_bytes;
        ck_assert_int_eq(stacks[i]->guard, guard);
        stacks[i]->low[0] = 1;
        child_run(&child, child_touch, i % 2 == 0 ? stacks[i]->low - 1 : slot);
        if (faults) {
            ck_assert(child_died(&child, SIGSEGV, ""));
        } else {
            ck_assert(child_exited(&child, CHILD_FINE));
        }
    }
    for (int i = 0; i < 20; i++) {
        uva__stack_put(&pool, stacks[i]);
    }
    pool_end();
}

START_TEST(marker_guards)
{
    if (uva__stack_guard_probe() != UVA__STACK_GUARD_MARKER) {
        printf("skipped: no guard markers here\n");
        return;
    }
    check_guard(UVA__STACK_GUARD_MARKER, true);
}
END_TEST

START_TEST(mprotect_guards)
{
    check_guard(UVA__STACK_GUARD_MPROTECT, true);
}
END_TEST

START_TEST(canary_guards)
{
    check_guard(UVA__STACK_GUARD_CANARY, false);
}
END_TEST

/* Sanitizers make mlockall do nothing. */
#if !defined(UVA__ASAN) && !defined(UVA__TSAN)
static int child_locked(void *arg)
{
    uva__stack_t *stacks[60];
    size_t sum = 0;

    (void)arg;
    if (uva__stack_guard_probe() != UVA__STACK_GUARD_MARKER ||
        mlockall(MCL_FUTURE) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    if (uva__stack_pool_init(&pool, NULL) != 0) {
        return 1;
    }
    for (int i = 0; i < 60; i++) {
        if (uva__stack_get(&pool, 0, &stacks[i]) != 0) {
            return 2; /* A limit on locked memory, perhaps. */
        }
        if (stacks[i]->guard != UVA__STACK_GUARD_MPROTECT) {
            return 3;
        }
        stacks[i]->low[0] = 1;
    }
    if (uva__stack_pool_guard(&pool) != UVA__STACK_GUARD_MPROTECT) {
        return 4;
    }
    if (pool.mapped_bytes > 80 * pool.standard->slot_bytes) {
        return 5; /* All of it is resident: slabs stay small. */
    }
    for (int i = 0; i < 60; i++) {
        stacks[i]->context.sp = stacks[i]->low; /* As if a flow stood there. */
        uva__stack_put(&pool, stacks[i]);
    }
    /* Locked pages cannot be given back; nothing is lost by trying. */
    sum = uva__stack_pool_trim(&pool);
    if (sum != 0 || uva__stack_pool_count(&pool) != 0 ||
        uva__stack_get(&pool, 0, &stacks[0]) != 0 ||
        uva__stack_is_clean(stacks[0]) ||
        stacks[0]->context.sp != stacks[0]->low) {
        return 6;
    }
    return CHILD_FINE;
}

START_TEST(locked_memory_falls_back)
{
    child_t child;

    child_run(&child, child_locked, NULL);
    if (child_exited(&child, CHILD_NOT_POSSIBLE)) {
        printf("skipped: mlockall or guard markers not permitted\n");
        return;
    }
    ck_assert_int_eq(child.status, CHILD_FINE << 8);
}
END_TEST
#endif

/* --- Limit --- */

START_TEST(limit_refuses)
{
    uva__stack_options_t options = {0};
    uva__stack_t *stacks[3];
    uva__stack_t *more = NULL;

    pool_begin(NULL);
    options.limit_bytes = 3 * pool.standard->slot_bytes + 4096;
    pool_end();
    pool_begin(&options);
    for (int i = 0; i < 3; i++) {
        stacks[i] = take(0);
    }
    ck_assert_int_eq(uva__stack_get(&pool, 0, &more), UV_EAGAIN);
    ck_assert_int_eq(uva__stack_get(&pool, 1, &more), UV_EAGAIN);
    ck_assert_ptr_null(more);
    uva__stack_put(&pool, stacks[1]);
    ck_assert_ptr_eq(take(0), stacks[1]);

    /* Idle stacks of one size make room for another. */
    for (int i = 0; i < 3; i++) {
        uva__stack_put(&pool, stacks[i]);
    }
    more = take(1);
    uva__stack_put(&pool, more);
    ck_assert_int_eq(uva__stack_get(&pool, (size_t)4 << 20, &more), UV_EAGAIN);
    pool_end();
}
END_TEST

START_TEST(limit_below_one_stack)
{
    const uva__stack_options_t options = {.limit_bytes = 4096};
    uva__stack_t *stack;

    pool_begin(&options);
    ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), UV_EAGAIN);
    ck_assert_uint_eq(pool.mapped_bytes, 0);
    pool_end();
}
END_TEST

#if !defined(NOCHECK_CHECK_H)
START_TEST(no_memory_for_a_slab)
{
    size_t bytes = uva_allocated_bytes();
    uva__stack_t *stack = NULL;

    pool_begin(NULL);
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_ptr_null(stack);
    ck_assert_uint_eq(pool.mapped_bytes, 0);
    ck_assert_uint_eq(uva_allocated_bytes(), bytes);
    ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), 0);
    uva__stack_put(&pool, stack);
    pool_end();
    ck_assert_uint_eq(uva_allocated_bytes(), bytes);
}
END_TEST
#endif

#if !defined(UVA__ASAN) && !defined(UVA__TSAN)
static int child_no_memory(void *arg)
{
    struct rlimit space = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    size_t count = 0;
    int r;

    (void)arg;
    if (uva__stack_pool_init(&pool, NULL) != 0 ||
        setrlimit(RLIMIT_AS, &space) != 0) {
        return CHILD_NOT_POSSIBLE;
    }
    for (;;) {
        uva__stack_t *stack;
        r = uva__stack_get(&pool, (size_t)4 << 20, &stack);
        if (r < 0) {
            break;
        }
        stack->low[0] = 1;
        count++;
    }
    if (r != UV_ENOMEM || count < 100) {
        return 1;
    }
    /* Smaller slabs filled what the large ones left. */
    return pool.mapped_bytes > ((size_t)800 << 20) ? CHILD_FINE : 2;
}

START_TEST(no_address_space)
{
    child_t child;

    child_run(&child, child_no_memory, NULL);
    ck_assert_int_eq(child.status, CHILD_FINE << 8);
}
END_TEST
#endif /* Those need the address space themselves. */

/* --- Trim --- */

static void put_many(uva__stack_t **stacks, int count)
{
    for (int i = 0; i < count; i++) {
        uva__stack_put(&pool, stacks[i]);
    }
}

START_TEST(trim_gives_everything_back)
{
    static uva__stack_t *stacks[600];

    pool_begin(NULL);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 600; i++) {
            stacks[i] = take(0);
            ck_assert(uva__stack_is_clean(stacks[i]));
            ck_assert_uint_eq(uva__stack_high_water(stacks[i]), 0);
            stacks[i]->low[4096] = 1;
        }
        put_many(stacks, 600);
        ck_assert_uint_gt(uva__stack_pool_trim(&pool), 0);
        ck_assert_uint_eq(pool.mapped_bytes, 0);
        ck_assert_uint_eq(uva__stack_pool_trim(&pool), 0);
    }
    pool_end();
}
END_TEST

START_TEST(trim_keeps_what_is_in_use)
{
    static uva__stack_t *stacks[600];
    size_t free_count = 0;
    size_t mapped_bytes;

    pool_begin(NULL);
    for (int i = 0; i < 600; i++) {
        stacks[i] = take(0);
        stacks[i]->low[100] = (char)i;
    }
    for (int i = 0; i < 600; i++) {
        if (i % 3 != 0) {
            uva__stack_put(&pool, stacks[i]);
            free_count++;
        }
    }
    uva__stack_pool_trim(&pool);
    ck_assert_uint_eq(uva__stack_pool_count(&pool), 600 - free_count);
    for (int i = 0; i < 600; i += 3) {
        ck_assert_int_eq(stacks[i]->low[100], (char)i);
    }
    /* The holes are filled before anything is mapped. */
    mapped_bytes = pool.mapped_bytes;
    for (int i = 0; i < 600; i++) {
        if (i % 3 != 0) {
            stacks[i] = take(0);
            ck_assert_int_eq(stacks[i]->low[100], 0);
        }
    }
    ck_assert_uint_eq(pool.mapped_bytes, mapped_bytes);
    /* Their guards are still there. */
    if (uva__stack_pool_guard(&pool) != UVA__STACK_GUARD_CANARY) {
        child_t child;
        child_run(&child, child_touch, stacks[1]->low - 1);
        ck_assert(child_died(&child, SIGSEGV, ""));
    }
    put_many(stacks, 600);
    pool_end();
}
END_TEST

/* --- Scale --- */

/* ASan keeps a shadow of each stack. */
#if defined(UVA__ASAN)
#    define SCALE_DEFAULT 20000
#else
#    define SCALE_DEFAULT MILLION_COUNT
#endif

/* How many stacks this run may make. */
static long scale_count(long wanted, size_t bytes_each)
{
    const char *text = getenv("UVA_TEST_STACKS");
    long limit = text != NULL ? strtol(text, NULL, 10) : SCALE_DEFAULT;
    long count = limit > 0 && limit < wanted ? limit : wanted;
    long need_kb = count / 1024 * (long)bytes_each + (256 << 10);

    if (available_kb() < need_kb) {
        printf("skipped: %ld stacks need %ld MiB of memory, %ld are free\n",
               count, need_kb / 1024, available_kb() / 1024);
        return 0;
    }
    return count;
}

/* Takes count stacks, which are linked through owner. */
static uva__stack_t *take_many(long count)
{
    uva__stack_t *all = NULL;

    for (long i = 0; i < count; i++) {
        uva__stack_t *stack;
        ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), 0);
        stack->owner = all;
        all = stack;
    }
    return all;
}

static void put_all(uva__stack_t *all)
{
    while (all != NULL) {
        uva__stack_t *stack = all;
        all = stack->owner;
        uva__stack_put(&pool, stack);
    }
}

static void check_mappings(long wanted)
{
    long count = scale_count(wanted, 4096 + 600);
    long lines = map_lines();

    if (count == 0) {
        return;
    }
    pool_begin(NULL);
    put_all(take_many(count));
    lines = map_lines() - lines;
    printf("%ld stacks, guard %s: %ld mappings more\n", count,
           uva__stack_guard_name(uva__stack_pool_guard(&pool)), lines);
#if !defined(UVA__TSAN) /* It maps a shadow of each slab. */
    if (uva__stack_pool_guard(&pool) == UVA__STACK_GUARD_MARKER) {
        ck_assert_int_le(lines, 300);
    }
#endif
    pool_end();
}

START_TEST(hundred_thousand)
{
    check_mappings(MANY_COUNT);
}
END_TEST

START_TEST(million)
{
    if (uva__stack_guard_probe() != UVA__STACK_GUARD_MARKER) {
        printf("skipped: no guard markers here\n");
        return;
    }
    check_mappings(MILLION_COUNT);
}
END_TEST

/* mprotect guards as many as it may, the others get a canary. */
START_TEST(mprotect_then_canary)
{
    const uva__stack_options_t options = {.guard = UVA__STACK_GUARD_MPROTECT};
    long count = scale_count(TIER_COUNT, 4096 + 600);
    long guarded = 0;
    uva__stack_t *all;

    pool_begin(&options);
    all = take_many(count);
    for (uva__stack_t *stack = all; stack != NULL; stack = stack->owner) {
        ck_assert_int_ne(stack->guard, UVA__STACK_GUARD_MARKER);
        guarded += stack->guard == UVA__STACK_GUARD_MPROTECT;
    }
    printf("%ld stacks, %ld guarded by mprotect\n", count, guarded);
    ck_assert(guarded == count || guarded > 1000);
    ck_assert(pool.checks || guarded == count);
    put_all(all);
    pool_end();

    /* The budget came back. */
    pool_begin(&options);
    all = take_many(count > 0 ? 1 : 0);
    ck_assert(all == NULL || all->guard == UVA__STACK_GUARD_MPROTECT);
    put_all(all);
    pool_end();
}
END_TEST

static Suite *stacks_suite(void)
{
    Suite *suite = suite_create("stacks");
    TCase *basics = tcase_create("Pool");
    TCase *guard = tcase_create("Guard");
    TCase *limit = tcase_create("Limit");
    TCase *trim = tcase_create("Trim");
    TCase *scale = tcase_create("Scale");

    suite_add_tcase(suite, guard);
    tcase_add_test(guard, environment_forces_a_guard);
    tcase_add_test(guard, guards_have_names);
    tcase_add_test(guard, marker_guards);
    tcase_add_test(guard, mprotect_guards);
    tcase_add_test(guard, canary_guards);
#if !defined(UVA__ASAN) && !defined(UVA__TSAN)
    tcase_add_test(guard, locked_memory_falls_back);
#endif

    suite_add_tcase(suite, basics);
    tcase_add_test(basics, last_in_first_out);
    tcase_add_test(basics, fresh_stack);
    tcase_add_test(basics, sizes_are_classes);
    tcase_add_test(basics, sizes_that_are_none);
    tcase_add_test(basics, default_size_can_be_set);
    tcase_add_test(basics, tops_are_coloured);
    tcase_add_test(basics, small_task_touches_one_page);

    suite_add_tcase(suite, limit);
    tcase_add_test(limit, limit_refuses);
    tcase_add_test(limit, limit_below_one_stack);
#if !defined(NOCHECK_CHECK_H)
    tcase_add_test(limit, no_memory_for_a_slab);
#endif
#if !defined(UVA__ASAN) && !defined(UVA__TSAN)
    tcase_add_test(limit, no_address_space);
#endif

    suite_add_tcase(suite, trim);
    tcase_add_test(trim, trim_gives_everything_back);
    tcase_add_test(trim, trim_keeps_what_is_in_use);

    suite_add_tcase(suite, scale);
    tcase_set_timeout(scale, 60);
    tcase_add_test(scale, hundred_thousand);
    tcase_add_test(scale, million);
    tcase_add_test(scale, mprotect_then_canary);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(stacks_suite());
    int failed_count;

    srunner_run_all(runner, CK_ENV);
    failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
