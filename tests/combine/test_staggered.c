/*
 * The staggered race: CPython's tests and more. Attempts are plain bodies,
 * which need a stack.
 */
#include "kinds.h"

typedef struct attempt_s {
    int index;
    uint64_t delay_ns;
    int code;
    int *cancelled;
    uva_test_trace_t *trace;
} attempt_t;

static char results[][8] = {"Res: 0", "Res: 1", "Res: 2"};

static int run_attempt(void *arg, void **ret_result)
{
    attempt_t *attempt = arg;
    int r = 0;

    if (attempt->trace != NULL) {
        uva_test_trace(
            attempt->trace, "%d@%d", attempt->index,
            (int)(uva_loop_time(uva_get_running_loop()) / UVA_MS(1)));
    }
    if (attempt->delay_ns > 0) {
        r = uva_sleep(attempt->delay_ns);
    }
    if (r == UV_ECANCELED && attempt->cancelled != NULL) {
        ++*attempt->cancelled;
    }
    if (r < 0 || attempt->code < 0) {
        return r < 0 ? r : attempt->code;
    }
    *ret_result = results[attempt->index];
    return 0;
}

UVA_TEST(empty)
{
    /* test_staggered.py, StaggeredTests.test_empty */
    void *winner = NULL;

    ck_assert_int_eq(uva_staggered_race(NULL, 0, UVA_FOREVER, &winner, NULL),
                     UV_ENOENT);
    ck_assert_ptr_null(winner);
}

UVA_TEST(one_successful)
{
    /* test_staggered.py, StaggeredTests.test_one_successful */
    attempt_t args[] = {{.index = 0}, {.index = 1}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]}};
    uva_test_trace_t trace = {0};
    void *winner = NULL;
    int codes[] = {1, 1};

    args[0].trace = args[1].trace = &trace;
    ck_assert_int_eq(
        uva_staggered_race(attempts, 2, UVA_FOREVER, &winner, codes), 0);
    ck_assert_str_eq(winner, "Res: 0");
    ck_assert_int_eq(codes[0], 0);
    ck_assert_str_eq(trace.text, "0@0"); /* The other one never began. */
}

UVA_TEST(first_error_second_successful)
{
    /* test_staggered.py, StaggeredTests.test_first_error_second_successful */
    attempt_t args[] = {{.index = 0, .code = VALUE_ERROR}, {.index = 1}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]}};
    void *winner = NULL;
    int codes[] = {1, 1};

    ck_assert_int_eq(
        uva_staggered_race(attempts, 2, UVA_FOREVER, &winner, codes), 1);
    ck_assert_str_eq(winner, "Res: 1");
    ck_assert_int_eq(codes[0], VALUE_ERROR);
    ck_assert_int_eq(codes[1], 0);
}

UVA_TEST(first_timeout_second_successful)
{
    /* test_staggered.py, StaggeredTests.test_first_timeout_second_successful */
    int cancelled = 0;
    attempt_t args[] = {
        {.index = 0, .delay_ns = UVA_SEC(10), .cancelled = &cancelled},
        {.index = 1}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]}};
    void *winner = NULL;
    int codes[] = {1, 1};

    ck_assert_int_eq(
        uva_staggered_race(attempts, 2, UVA_MS(100), &winner, codes), 1);
    ck_assert_str_eq(winner, "Res: 1");
    ck_assert_int_eq(codes[0], UV_ECANCELED);
    ck_assert_int_eq(codes[1], 0);
    ck_assert_int_eq(cancelled, 1);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(100));
}

UVA_TEST(none_successful)
{
    /* test_staggered.py, StaggeredTests.test_none_successful */
    attempt_t args[] = {{.index = 0, .code = VALUE_ERROR},
                        {.index = 1, .code = VALUE_ERROR}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]}};
    void *winner = NULL;
    int codes[] = {1, 1};

    ck_assert_int_eq(
        uva_staggered_race(attempts, 2, UVA_FOREVER, &winner, codes),
        UV_ENOENT);
    ck_assert_ptr_null(winner);
    ck_assert_int_eq(codes[0], VALUE_ERROR);
    ck_assert_int_eq(codes[1], VALUE_ERROR);
}

/* A failure starts the next attempt at once, a slow one after the delay. */
UVA_TEST(attempts_begin_in_turn)
{
    attempt_t args[] = {
        {.index = 0, .delay_ns = UVA_MS(30), .code = VALUE_ERROR},
        {.index = 1, .delay_ns = UVA_SEC(1)},
        {.index = 2, .delay_ns = UVA_MS(10)}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]},
                                {run_attempt, &args[2]}};
    uva_test_trace_t trace = {0};
    void *winner = NULL;
    int codes[3];

    args[0].trace = args[1].trace = args[2].trace = &trace;
    ck_assert_int_eq(
        uva_staggered_race(attempts, 3, UVA_MS(100), &winner, codes), 2);
    ck_assert_str_eq(winner, "Res: 2");
    ck_assert_str_eq(trace.text, "0@0 1@30 2@130");
    ck_assert_int_eq(codes[0], VALUE_ERROR);
    ck_assert_int_eq(codes[1], UV_ECANCELED);
    ck_assert_int_eq(codes[2], 0);
}

static int race_of_two(void *arg, void **ret_result)
{
    int *cancelled = arg;
    attempt_t args[] = {
        {.index = 0, .delay_ns = UVA_SEC(1), .cancelled = cancelled},
        {.index = 1, .delay_ns = UVA_SEC(1), .cancelled = cancelled}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]}};

    return uva_staggered_race(attempts, 2, UVA_MS(10), ret_result, NULL);
}

static int clean_up_slowly(void *arg, void **ret_result)
{
    uva_test_trace_t *trace = arg;
    int r = uva_sleep(UVA_SEC(1));

    (void)ret_result;
    uva_test_trace(trace, "%s", uva_err_name(r));
    ck_assert_int_eq(uva_sleep(UVA_MS(50)), 0);
    uva_test_trace(trace, "cleaned");
    return r;
}

static int race_of_slow_ends(void *arg, void **ret_result)
{
    uva_test_trace_t *trace = arg;
    uva_attempt_t attempts[] = {{clean_up_slowly, trace},
                                {clean_up_slowly, trace}};
    int r = uva_staggered_race(attempts, 2, UVA_MS(10), ret_result, NULL);

    uva_test_trace(trace, "over");
    return r;
}

/* asyncio: "over" comes before the attempts have cleaned up. */
UVA_TEST(cancelled_race_waits_for_its_attempts)
{
    uva_test_trace_t trace = {0};
    uva_task_t *task = uva_create_task(race_of_slow_ends, &trace);

    ck_assert_int_eq(uva_sleep(UVA_MS(100)), 0);
    uva_task_cancel(task);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_str_eq(trace.text, "ECANCELED ECANCELED cleaned cleaned over");
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(150));
}

/* When it returns all attempts have ended. */
UVA_TEST(cancelled_race_ends_its_attempts)
{
    int cancelled = 0;
    uva_task_t *task = uva_create_task(race_of_two, &cancelled);

    ck_assert_int_eq(uva_sleep(UVA_MS(100)), 0);
    uva_task_cancel(task);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_int_eq(cancelled, 2);
    ck_assert_uint_eq(uva_loop_all_tasks(uva_get_running_loop(), NULL, 0), 1);
}

/* The attempts begin in the call that makes their tasks. */
UVA_TEST(eager_attempts)
{
    attempt_t args[] = {{.index = 0, .delay_ns = UVA_MS(5)},
                        {.index = 1, .delay_ns = UVA_MS(5)},
                        {.index = 2, .delay_ns = UVA_MS(1), .code = -30001}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]},
                                {run_attempt, &args[2]}};
    uva_test_trace_t trace = {0};
    void *winner = NULL;
    int codes[3];

    uva_loop_set_task_factory(uva_get_running_loop(), uva_eager_task_factory,
                              NULL);
    args[0].trace = args[1].trace = args[2].trace = &trace;
    ck_assert_int_eq(uva_staggered_race(attempts, 3, UVA_MS(1), &winner, codes),
                     0);
    ck_assert_str_eq(winner, "Res: 0");
    ck_assert_str_eq(trace.text, "0@0 1@1 2@2");
    ck_assert_int_eq(codes[1], UV_ECANCELED);
    ck_assert_int_eq(codes[2], -30001);

    args[0].delay_ns = 0; /* It wins before its task is known. */
    args[0].trace = args[1].trace = args[2].trace = NULL;
    ck_assert_int_eq(uva_staggered_race(attempts, 3, UVA_MS(1), &winner, codes),
                     0);
    args[0].code = VALUE_ERROR;
    ck_assert_int_eq(uva_staggered_race(attempts, 3, UVA_MS(1), &winner, codes),
                     1);
    ck_assert_int_eq(codes[0], VALUE_ERROR);
}

static int gathers_itself(void *arg, void **ret_result)
{
    uva_future_t *refs[] = {UVA_FUTURE(uva_task_ref(uva_current_task()))};

    (void)ret_result;
    *(uva_future_t **)arg = uva_gather_future(UVA_FUTURES(refs), 1, 0);
    uva_testing_fail_allocation(1, true);
    UVA_TICK();
    return VALUE_ERROR;
}

/* There is no memory to wait for an attempt that its own body has let be
 * gathered: it tells by itself that it ends. */
UVA_TEST_STRICT(eager_attempt_gathers_itself_without_memory)
{
    uva_future_t *gathered;
    uva_attempt_t attempts[] = {{gathers_itself, &gathered}};
    int code;

    uva_loop_set_task_factory(uva_get_running_loop(), uva_eager_task_factory,
                              NULL);
    ck_assert_int_eq(uva_staggered_race(attempts, 1, UVA_FOREVER, NULL, &code),
                     UV_ENOENT);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(code, VALUE_ERROR);
    UVA_TICK();
    ck_assert_int_eq(uva_future_exception(gathered), UV_ENOMEM);
    uva_future_unref(gathered);
}

static int race_without_memory(uint64_t first_ns)
{
    attempt_t args[] = {{.index = 0, .delay_ns = first_ns, .code = VALUE_ERROR},
                        {.index = 1}};
    uva_attempt_t attempts[] = {{run_attempt, &args[0]},
                                {run_attempt, &args[1]}};
    void *winner = NULL;
    int codes[2];
    int r = uva_staggered_race(attempts, 2, UVA_MS(10), &winner, codes);

    uva_testing_fail_allocation(0, false);
    ck_assert_uint_eq(uva_loop_all_tasks(uva_get_running_loop(), NULL, 0), 1);
    ck_assert_msg(r == 1 || r == UV_ENOMEM, "the race gave %s",
                  uva_err_name(r));
    return r;
}

UVA_TEST_STRICT(race_oom)
{
    const uint64_t delays[] = {0, UVA_MS(5), UVA_MS(20)};

    uva_test_log_begin();
    for (size_t i = 0; i < 3; i++) {
        uint64_t before = uva_testing_allocations();
        uint64_t count;
        /* What the loop keeps, it has after this. */
        ck_assert_int_eq(race_without_memory(delays[i]), 1);
        count = uva_testing_allocations() - before;
        for (uint64_t n = 1; n <= count; n++) {
            size_t bytes = uva_allocated_bytes();
            uva_testing_fail_allocation(n, false);
            (void)race_without_memory(delays[i]);
            ck_assert_uint_eq(uva_allocated_bytes(), bytes);
        }
    }
    /* Nobody but the caller is told. */
    ck_assert_ptr_null(strstr(uva_test_log(), "never retrieved"));
    uva_test_log_end();
}

/* No allocation succeeds any more. */
UVA_TEST_STRICT(race_out_of_memory)
{
    for (uint64_t n = 1; n < 16; n++) {
        uva_testing_fail_allocation(n, true);
        (void)race_without_memory(UVA_MS(5));
    }
}

int main(void)
{
    Suite *suite = suite_create("staggered");
    TCase *cpython = UVA_TCASE(suite, "Staggered");
    TCase *more = UVA_TCASE(suite, "More");

    UVA_ADD_TESTS(cpython, empty, one_successful, first_error_second_successful,
                  first_timeout_second_successful, none_successful);
    UVA_ADD_TESTS(more, attempts_begin_in_turn,
                  cancelled_race_ends_its_attempts,
                  cancelled_race_waits_for_its_attempts, eager_attempts,
                  eager_attempt_gathers_itself_without_memory, race_oom,
                  race_out_of_memory);
    return uva_test_main(suite);
}
