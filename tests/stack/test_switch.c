/*
 * The context switch: what it keeps, what it mixes, where unwinders stop.
 */
#include <check.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "flow.h"
#include "pool.h"
#include "stack/stacks.h"
#include "stack/switch.h"

enum {
    RING_COUNT = 200,
    RING_ROUNDS = 50,
    THREAD_COUNT = 4
};

static void flow_begin(flow_t *flow, flow_body_cb body, void *arg, bool jumps)
{
    *flow = (flow_t){.jumps = jumps};
    ck_assert_int_eq(uva__stack_get(&pool, 0, &flow->stack), 0);
    flow_make(flow, body, arg);
}

static void flow_end(flow_t *flow)
{
    uva__context_destroy(&flow->context);
    uva__stack_put(&pool, flow->stack);
}

/* --- Switch --- */

static void body_count(flow_t *flow)
{
    for (int i = 1; i <= 3; i++) {
        flow->value = i;
        flow_suspend(flow);
    }
}

static void check_count(bool jumps)
{
    flow_t flow;

    pool_begin(NULL);
    flow_begin(&flow, body_count, NULL, jumps);
    for (int i = 1; i <= 3; i++) {
        flow_resume(&flow);
        ck_assert_int_eq(flow.value, i);
        ck_assert(!flow.done);
    }
    flow_resume(&flow);
    ck_assert(flow.done);
    flow_end(&flow);
    pool_end();
}

START_TEST(switch_goes_to_and_fro)
{
    check_count(false);
}
END_TEST

START_TEST(jump_goes_to_and_fro)
{
    check_count(true);
}
END_TEST

/* Each way of leaving meets each way of coming back. */
START_TEST(forms_mix)
{
    flow_t flow;

    pool_begin(NULL);
    flow_begin(&flow, body_count, NULL, false);
    for (int i = 1; i <= 3; i++) {
        flow_resume(&flow);
        ck_assert_int_eq(flow.value, i);
        flow.jumps = !flow.jumps;
    }
    flow_resume(&flow);
    ck_assert(flow.done);
    flow_end(&flow);
    pool_end();
}
END_TEST

/* More live values than there are callee-saved registers, of both kinds. */
static UVA__NOINLINE double live_values(flow_t *flow, int seed, bool suspends)
{
    uint64_t a[12];
    double x[12];
    double sum = 0;

    for (int i = 0; i < 12; i++) {
        a[i] = (uint64_t)(seed * 31 + i);
        x[i] = (double)seed / (i + 1);
    }
    for (int round = 0; round < 3; round++) {
        uint64_t a0 = a[0] + 1, a1 = a[1] * 3, a2 = a[2] ^ 5, a3 = a[3] - 7;
        uint64_t a4 = a[4] + 9, a5 = a[5] * 5, a6 = a[6] ^ 3, a7 = a[7] - 1;
        double x0 = x[0] * 2, x1 = x[1] + 1, x2 = x[2] - 3, x3 = x[3] * 5;
        double x4 = x[4] + 7, x5 = x[5] - 9, x6 = x[6] * 3, x7 = x[7] + 5;

        if (suspends) {
            flow_suspend(flow);
        }
        a[0] = a1 + a0, a[1] = a2 + a3, a[2] = a4 ^ a5, a[3] = a6 - a7;
        x[0] = x1 + x0, x[1] = x2 + x3, x[2] = x4 - x5, x[3] = x6 - x7;
    }
    for (int i = 0; i < 12; i++) {
        sum += (double)(a[i] % 1000) + x[i];
    }
    return sum;
}

typedef struct live_s {
    int seed;
    double sum;
} live_t;

static void body_live(flow_t *flow)
{
    live_t *live = flow->arg;

    live->sum = live_values(flow, live->seed, true);
}

static void check_live(bool jumps)
{
    flow_t flows[8];
    live_t live[8];
    int left = 8;

    pool_begin(NULL);
    for (int i = 0; i < 8; i++) {
        live[i].seed = i + 1;
        flow_begin(&flows[i], body_live, &live[i], jumps);
    }
    while (left > 0) {
        for (int i = 0; i < 8; i++) {
            if (!flows[i].done) {
                flow_resume(&flows[i]);
                left -= flows[i].done;
            }
        }
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_double_eq(live[i].sum, live_values(NULL, i + 1, false));
        flow_end(&flows[i]);
    }
    pool_end();
}

START_TEST(switch_keeps_registers)
{
    check_live(false);
}
END_TEST

START_TEST(jump_keeps_registers)
{
    check_live(true);
}
END_TEST

/* A leaf may keep its locals where the inline form pushes, if it is not built
 * as the library is. Everything is inline, so that this function calls
 * nothing. */
typedef struct zone_s {
    uva__context_t here;
    uva__context_t there;
} zone_t;

static zone_t zone;

static void zone_entry(void)
{
    uva__context_started();
    for (;;) {
        uva__context_jump(&zone.there, &zone.here);
    }
}

static UVA__NOINLINE uint64_t zone_leaf(const volatile uint64_t *input)
{
    volatile uint64_t local[10];

    for (int i = 0; i < 10; i++) {
        local[i] = input[i];
    }
    uva__context_jump(&zone.here, &zone.there);
    for (int i = 1; i < 10; i++) {
        local[0] += local[i];
    }
    return local[0];
}

START_TEST(jump_spares_the_locals_of_a_leaf)
{
    uint64_t input[10];
    uva__stack_t *stack;

    pool_begin(NULL);
    for (unsigned i = 0; i < 10; i++) {
        input[i] = i + 1;
    }
    ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), 0);
    uva__context_self(&zone.here);
    uva__context_make(&zone.there, stack->low, uva__stack_top(stack),
                      zone_entry);
    ck_assert_uint_eq(zone_leaf(input), 55);
    ck_assert_uint_eq(zone_leaf(input), 55);
    uva__context_destroy(&zone.there);
    uva__stack_put(&pool, stack);
    pool_end();
}
END_TEST

static void body_ring(flow_t *flow)
{
    for (int i = 0; i < RING_ROUNDS; i++) {
        flow->value++;
        flow_suspend(flow);
    }
}

START_TEST(many_flows)
{
    static flow_t flows[RING_COUNT];

    pool_begin(NULL);
    for (int i = 0; i < RING_COUNT; i++) {
        flow_begin(&flows[i], body_ring, NULL, i % 2 == 0);
    }
    for (int k = 0; k < RING_ROUNDS; k++) {
        for (int i = 0; i < RING_COUNT; i++) {
            flow_resume(&flows[i]);
            ck_assert_int_eq(flows[i].value, k + 1);
        }
    }
    for (int i = 0; i < RING_COUNT; i++) {
        flow_resume(&flows[i]);
        ck_assert(flows[i].done);
        flow_end(&flows[i]);
    }
    pool_end();
}
END_TEST

/* The entry function of a scheduler: one context, many bodies. */
typedef struct server_s {
    uva__context_t loop;
    uva__context_t parked;
    int job;
    int sum;
} server_t;

static server_t server;

static void server_entry(void)
{
    uva__context_started();
    for (;;) {
        server.sum += server.job;
        uva__context_jump(&server.parked, &server.loop);
    }
}

START_TEST(entry_serves_many_bodies)
{
    uva__stack_t *stack;

    pool_begin(NULL);
    ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), 0);
    ck_assert_ptr_null(stack->context.sp);
    uva__context_self(&server.loop);
    uva__context_make(&server.parked, stack->low, uva__stack_top(stack),
                      server_entry);
    for (int i = 1; i <= 10; i++) {
        server.job = i;
        uva__context_jump(&server.loop, &server.parked);
    }
    ck_assert_int_eq(server.sum, 55);

    /* The flow stays on the stack while that is idle ... */
    stack->context = server.parked;
    uva__stack_put(&pool, stack);
    ck_assert_int_eq(uva__stack_get(&pool, 0, &stack), 0);
    ck_assert_ptr_nonnull(stack->context.sp);
    server.parked = stack->context;
    server.job = 100;
    uva__context_jump(&server.loop, &server.parked);
    ck_assert_int_eq(server.sum, 155);

    /* ... and ends with the pool. */
    stack->context = server.parked;
    uva__stack_put(&pool, stack);
    pool_end();
}
END_TEST

START_TEST(stack_serves_again_after_exit)
{
    flow_t flow;
    uva__stack_t *first = NULL;

    pool_begin(NULL);
    for (int i = 0; i < 5; i++) {
        flow_begin(&flow, body_count, NULL, i % 2 == 0);
        ck_assert(first == NULL || first == flow.stack);
        first = flow.stack;
        while (!flow.done) {
            flow_resume(&flow);
        }
        flow_end(&flow);
    }
    pool_end();
}
END_TEST

START_TEST(destroyed_before_it_ran)
{
    flow_t flow;

    pool_begin(NULL);
    for (int i = 0; i < 3; i++) {
        flow_begin(&flow, body_count, NULL, false);
        flow_end(&flow);
    }
    pool_end();
}
END_TEST

START_TEST(destroyed_while_suspended)
{
    flow_t flow;

    pool_begin(NULL);
    for (int i = 0; i < 3; i++) {
        flow_begin(&flow, body_count, NULL, false);
        flow_resume(&flow);
        ck_assert_int_eq(flow.value, 1);
        flow_end(&flow);
    }
    pool_end();
}
END_TEST

static void body_outer(flow_t *flow)
{
    flow_t inner;

    flow_begin(&inner, body_count, NULL, flow->jumps);
    while (!inner.done) {
        flow_resume(&inner);
        flow->value += inner.value;
        flow_suspend(flow);
    }
    flow_end(&inner);
}

START_TEST(flows_nest)
{
    flow_t flow;

    pool_begin(NULL);
    flow_begin(&flow, body_outer, NULL, true);
    while (!flow.done) {
        flow_resume(&flow);
    }
    ck_assert_int_eq(flow.value, 1 + 2 + 3 + 3);
    flow_end(&flow);
    pool_end();
}
END_TEST

static void body_aligned(flow_t *flow)
{
    _Alignas(16) volatile char block[16] = {0};
    char text[64];

    flow->value = (int)((uintptr_t)block % 16);
    /* The C library moves aligned vectors here. */
    ck_assert_int_eq(
        snprintf(text, sizeof text, "%.3f %Lf", 1.5, (long double)2), 14);
    ck_assert_str_eq(text, "1.500 2.000000");
}

START_TEST(stack_is_aligned)
{
    flow_t flow;

    pool_begin(NULL);
    flow_begin(&flow, body_aligned, NULL, false);
    flow_resume(&flow);
    ck_assert(flow.done);
    ck_assert_int_eq(flow.value, 0);
    flow_end(&flow);
    pool_end();
}
END_TEST

START_TEST(context_is_a_pointer)
{
#if !defined(UVA__ASAN) && !defined(UVA__TSAN)
    ck_assert_uint_eq(sizeof(uva__context_t), sizeof(void *));
#endif
    ck_assert(strcmp(uva__context_backend(), "ucontext") == 0 ||
              strcmp(uva__context_backend(), "x86_64") == 0 ||
              strcmp(uva__context_backend(), "aarch64") == 0);
}
END_TEST

/* --- Threads --- */

static void *thread_main(void *arg)
{
    uva__stack_pool_t mine;

    if (uva__stack_pool_init(&mine, NULL) != 0) {
        return arg;
    }
    for (int i = 0; i < 20; i++) {
        if (flow_run(&mine, 0, body_ring, NULL) != 0) {
            return arg;
        }
    }
    uva__stack_pool_destroy(&mine);
    return NULL;
}

START_TEST(each_thread_has_its_flows)
{
    pthread_t threads[THREAD_COUNT];
    char mark;

    for (int i = 0; i < THREAD_COUNT; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, &mark),
                         0);
    }
    for (int i = 0; i < THREAD_COUNT; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

/* --- Unwind --- */

typedef struct walk_s {
    int count;
    int beyond; /* Frames after that of the entry function. */
    bool saw_entry;
} walk_t;

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context,
                                      void *data)
{
    walk_t *walk = data;

    /* The end of the stack is told as a frame at 0. */
    walk->beyond += walk->saw_entry && _Unwind_GetIP(context) != 0;
    /* Integers, as ISO C has no way from a function to an object pointer. */
    if (_Unwind_GetRegionStart(context) == (uintptr_t)flow_entry) {
        walk->saw_entry = true;
    }
    return ++walk->count < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static UVA__NOINLINE void walk_stack(walk_t *walk)
{
    _Unwind_Backtrace(walk_frame, walk);
}

static void body_walk(flow_t *flow)
{
    walk_t *walk = flow->arg;

    walk_stack(walk);
    flow_suspend(flow);
    *walk = (walk_t){0};
    walk_stack(walk);
}

START_TEST(backtrace_ends_at_the_entry)
{
    walk_t walk = {0};
    flow_t flow;

    pool_begin(NULL);
    flow_begin(&flow, body_walk, &walk, false);
    /* What lies above the first frame is no return address, though it might
     * look like one. */
    flow.stack->next = (uva__stack_t *)((uintptr_t)walk_stack + 8);
    flow_resume(&flow);
    ck_assert(walk.saw_entry);
    ck_assert_int_le(walk.beyond, 1); /* The one that calls it. */
    flow_resume(&flow);
    ck_assert(flow.done);
    ck_assert(walk.saw_entry);
    ck_assert_int_le(walk.beyond, 1); /* The one that calls it. */
    flow_end(&flow);
    pool_end();
}
END_TEST

static Suite *coro_suite(void)
{
    Suite *suite = suite_create("switch");
    TCase *forms = tcase_create("Switch");
    TCase *threads = tcase_create("Threads");
    TCase *unwind = tcase_create("Unwind");

    suite_add_tcase(suite, forms);
    tcase_add_test(forms, switch_goes_to_and_fro);
    tcase_add_test(forms, jump_goes_to_and_fro);
    tcase_add_test(forms, forms_mix);
    tcase_add_test(forms, switch_keeps_registers);
    tcase_add_test(forms, jump_keeps_registers);
    tcase_add_test(forms, jump_spares_the_locals_of_a_leaf);
    tcase_add_test(forms, many_flows);
    tcase_add_test(forms, entry_serves_many_bodies);
    tcase_add_test(forms, stack_serves_again_after_exit);
    tcase_add_test(forms, destroyed_before_it_ran);
    tcase_add_test(forms, destroyed_while_suspended);
    tcase_add_test(forms, flows_nest);
    tcase_add_test(forms, stack_is_aligned);
    tcase_add_test(forms, context_is_a_pointer);

    suite_add_tcase(suite, threads);
    tcase_add_test(threads, each_thread_has_its_flows);

    suite_add_tcase(suite, unwind);
    tcase_add_test(unwind, backtrace_ends_at_the_entry);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(coro_suite());
    int failed_count;

    srunner_run_all(runner, CK_ENV);
    failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
