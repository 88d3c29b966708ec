/*
 * Scheduled calls: what they own, calls that never come, order among equals, no
 * memory.
 */
#include "uva_test.h"

#include <string.h>

static uva_test_trace_t calls;

static void note(void *data)
{
    uva_test_trace(&calls, "%s", (const char *)data);
}

static char a[] = "a";

static uva_handle_t *later(uint64_t delay_ns, char *word)
{
    uva_handle_t *handle;

    ck_assert_int_eq(
        uva_loop_call_later(uva_test_loop, delay_ns, note, word, NULL, &handle),
        0);
    return handle;
}

static void step(void)
{
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
}

static void count_destroy(void *data)
{
    ++*(int *)data;
}

static const uva_call_options_t destroying = {sizeof(uva_call_options_t), NULL,
                                              count_destroy};

/* --- what calls own --- */

static void check_alive(void *data)
{
    ck_assert_int_eq(*(int *)data, 0); /* Not destroyed before. */
}

/* The destructor runs once: after the call, or instead of it. */
START_TEST(destructor_runs_once)
{
    uva_loop_t *loop = uva_test_loop;
    int ran = 0;
    int cancelled = 0;
    int timed = 0;
    uva_handle_t *h;

    UVA_IGNORE(uva_loop_call_soon(loop, check_alive, &ran, &destroying, NULL));
    UVA_IGNORE(
        uva_loop_call_soon(loop, check_alive, &cancelled, &destroying, &h));
    uva_handle_cancel(h);
    ck_assert_int_eq(cancelled, 1);
    uva_handle_cancel(h);
    uva_handle_unref(h);
    UVA_IGNORE(uva_loop_call_later(loop, UVA_SEC(1), check_alive, &timed,
                                   &destroying, NULL));
    step();
    ck_assert_int_eq(ran, 1);
    ck_assert_int_eq(cancelled, 1);
    ck_assert_int_eq(timed, 0);
    step();
    ck_assert_int_eq(timed, 1);
}
END_TEST

/* What is scheduled when the loop closes is dropped and not run; what comes
 * after is refused. A handle may outlive its loop. */
START_TEST(destructor_runs_when_the_loop_closes)
{
    uva_test_mark_t mark = uva_test_mark();
    uva_handle_t *handles[5] = {NULL};
    int destroyed = 0;
    uva_loop_t *loop;

    loop = new_loop();
    UVA_IGNORE(uva_loop_call_soon(loop, check_alive, &destroyed, &destroying,
                                  &handles[0]));
    UVA_IGNORE(uva_loop_call_later(loop, UVA_SEC(1), check_alive, &destroyed,
                                   &destroying, &handles[1]));
    UVA_IGNORE(uva_loop_call_later(loop, UVA_FOREVER, check_alive, &destroyed,
                                   &destroying, &handles[2]));
    UVA_IGNORE(uva_loop_call_soon_threadsafe(loop, check_alive, &destroyed,
                                             &destroying, &handles[3]));
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(destroyed, 4);
    ck_assert_int_eq(uva_loop_call_soon(loop, check_alive, &destroyed,
                                        &destroying, &handles[4]),
                     UV_EPERM);
    ck_assert_int_eq(uva_loop_call_later(loop, 0, check_alive, &destroyed,
                                         &destroying, &handles[4]),
                     UV_EPERM);
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(loop, check_alive,
                                                   &destroyed, &destroying,
                                                   &handles[4]),
                     UV_EPERM);
    ck_assert_int_eq(destroyed, 7);
    ck_assert_ptr_null(handles[4]);
    uva_loop_unref(loop);
    for (int i = 0; i < 4; i++) {
        uva_handle_cancel(handles[i]);
        uva_handle_unref(handles[i]);
    }
    ck_assert_int_eq(destroyed, 7);
    uva_test_nothing_left(mark);
}
END_TEST

/* A call that never comes is one all the same: it can be cancelled. */
START_TEST(call_that_never_comes)
{
    int destroyed = 0;
    uva_handle_t *h;

    ck_assert_int_eq(uva_loop_call_later(uva_test_loop, UVA_FOREVER,
                                         check_alive, &destroyed, &destroying,
                                         &h),
                     0);
    ck_assert(uva_handle_when(h) == UVA_FOREVER);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
    uva_handle_cancel(h);
    ck_assert(uva_handle_cancelled(h));
    ck_assert_int_eq(destroyed, 1);
    uva_handle_unref(h);
}
END_TEST

/* A delay beyond the end of the clock never comes; it does not wrap round. */
START_TEST(delay_beyond_the_clock)
{
    uva_handle_t *h;

    ck_assert_int_eq(uva_loop_advance(uva_test_loop, UVA_SEC(10)), 0);
    h = later(UVA_FOREVER - UVA_SEC(5), a);
    ck_assert(uva_handle_when(h) == UVA_FOREVER);
    uva_handle_cancel(h);
    uva_handle_unref(h);
    h = later(UVA_FOREVER - UVA_SEC(11), a);
    ck_assert(uva_handle_when(h) == UVA_FOREVER - UVA_SEC(1));
    uva_handle_unref(h);
    step();
    ck_assert_str_eq(calls.text, "a");
    ck_assert(uva_loop_time(uva_test_loop) == UVA_FOREVER - UVA_SEC(1));
}
END_TEST

/* Many equal deadlines, some cancelled by the first that runs. */
static uva_handle_t *equals[100];

static void cancel_odd_ones(void *data)
{
    for (int i = 1; i < 100; i += 2) {
        uva_handle_cancel(equals[i]);
    }
    note(data);
}

static void note_number(void *data)
{
    uva_test_trace(&calls, "%d", (int)((uva_handle_t **)data - equals));
}

START_TEST(equal_deadlines_in_order)
{
    for (int i = 0; i < 100; i++) {
        UVA_IGNORE(uva_loop_call_later(
            uva_test_loop, UVA_MS(1), i == 0 ? cancel_odd_ones : note_number,
            i == 0 ? (void *)a : &equals[i], NULL, &equals[i]));
    }
    step();
    ck_assert_int_eq(strncmp(calls.text, "a 2 4 6 8 10 12 14", 18), 0);
    ck_assert_str_eq(calls.text + calls.size - 8, "94 96 98");
    for (int i = 0; i < 100; i++) {
        ck_assert(uva_handle_cancelled(equals[i]) == (i % 2 == 1));
        uva_handle_unref(equals[i]);
    }
}
END_TEST

/* --- without a loop, without memory --- */

START_TEST(calls_without_a_loop)
{
    ck_assert_int_eq(uva_loop_call_soon(NULL, note, a, NULL, NULL),
                     UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_call_later(NULL, 0, note, a, NULL, NULL),
                     UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_call_at(NULL, 0, note, a, NULL, NULL),
                     UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_call_soon(NULL, note, a, NULL, NULL),
                     UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_call_later(NULL, 0, note, a, NULL, NULL),
                     UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(NULL, note, a, NULL, NULL),
                     UVA_ENOLOOP);
}
END_TEST

static int schedule(int kind)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_handle_t *h = NULL;
    int destroyed = 0;
    int r = kind == 0   ? uva_loop_call_soon(loop, check_alive, &destroyed,
                                             &destroying, &h)
            : kind == 1 ? uva_loop_call_later(loop, UVA_SEC(1), check_alive,
                                              &destroyed, &destroying, &h)
                        : uva_loop_call_soon_threadsafe(
                              loop, check_alive, &destroyed, &destroying, &h);

    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(destroyed, r < 0 ? 1 : 0);
    uva_handle_cancel(h);
    ck_assert_int_eq(destroyed, 1);
    uva_handle_unref(h);
    ck_assert_int_eq(uva_sleep(0), 0); /* A cancelled one goes as it comes. */
    return r;
}

static uva_context_var_t var = {"var", NULL};

UVA_TEST_STRICT(calls_oom)
{
    /* A context of their own is another allocation. */
    ck_assert_int_eq(uva_context_var_set(&var, a, NULL), 0);
    for (int kind = 0; kind < 3; kind++) {
        ck_assert_int_eq(schedule(kind), 0); /* What the loop keeps. */
        UVA_OOM_TEST(schedule(kind));
    }
}

/* --- the suite --- */

static void setup(void)
{
    memset(&calls, 0, sizeof calls);
    uva_test_loop_setup();
}

int main(void)
{
    Suite *suite = suite_create("calls_owned");
    TCase *ownership = UVA_TCASE(suite, "Ownership");
    TCase *memory = UVA_TCASE(suite, "Memory");

    tcase_add_checked_fixture(ownership, setup, uva_test_loop_teardown);
    UVA_ADD_TESTS(ownership, destructor_runs_once,
                  destructor_runs_when_the_loop_closes, call_that_never_comes,
                  delay_beyond_the_clock, equal_deadlines_in_order,
                  calls_without_a_loop);
    UVA_ADD_TESTS(memory, calls_oom);
    return uva_test_main(suite);
}
