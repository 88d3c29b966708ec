/*
 * What destructors, callbacks, factories and eager children of the user may do
 * in the middle of a call of the library: everything.
 */
#include "kinds.h"
#include "loops.h"

/* --- loops --- */

/* The last reference of a loop that was not closed closes it. */
START_TEST(unref_of_an_open_loop)
{
    uva_test_log_begin();
    uva_loop_unref(new_loop());
    uva_loop_unref(new_real_loop());
    ck_assert_str_eq(uva_test_log(),
                     "a loop was dropped that was not closed\n"
                     "a loop was dropped that was not closed\n");
    uva_test_log_end();
}
END_TEST

static void unref_loop(void *data)
{
    uva_loop_unref(data);
}

/* A reference that what the loop drops has is one all the same. */
START_TEST(unref_of_an_open_loop_that_drops_others)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();

    options.destroy = unref_loop;
    ck_assert_int_eq(uva_loop_call_soon(loop, unref_loop, uva_loop_ref(loop),
                                        &options, NULL),
                     0);
    end_loop(loop);
}
END_TEST

/* --- done callbacks --- */

typedef struct letter_s {
    uva_future_t *future;
    struct letter_s *other; /* What its destructor removes. */
    bool drops;             /* It drops the future. */
    bool adds;              /* It adds a callback. */
    int destroyed;
} letter_t;

static void letter_call(uva_future_t *future, void *data)
{
    (void)future;
    ++*(int *)data;
}

static void letter_never(uva_future_t *future, void *data)
{
    (void)future;
    (void)data;
    ck_abort_msg("a callback ran that was removed");
}

static void letter_destroy(void *data)
{
    letter_t *letter = data;

    letter->destroyed++;
    if (letter->other != NULL) {
        ck_assert_uint_eq(uva_future_remove_done_callback(
                              letter->future, letter_never, letter->other),
                          1);
    }
    if (letter->adds) {
        ck_assert_int_eq(uva_future_add_done_callback(letter->future,
                                                      letter_call,
                                                      &letter->destroyed, NULL),
                         0);
    }
    if (letter->drops) {
        uva_future_unref(letter->future);
    }
}

static void letters_add(letter_t *letters, size_t count, uva_future_t *future)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    options.destroy = letter_destroy;
    for (size_t i = 0; i < count; i++) {
        letters[i].future = future;
        ck_assert_int_eq(uva_future_add_done_callback(future, letter_never,
                                                      &letters[i], &options),
                         0);
    }
}

UVA_TEST_STRICT(removed_callback_removes_the_next)
{
    uva_future_t *future = uva_create_future();
    letter_t letters[3] = {{0}};

    letters_add(letters, 3, future);
    letters[0].other = &letters[1];
    ck_assert_uint_eq(
        uva_future_remove_done_callback(future, letter_never, &letters[0]), 1);
    ck_assert_int_eq(letters[1].destroyed, 1);
    letters[2].adds = true;
    ck_assert_uint_eq(
        uva_future_remove_done_callback(future, letter_never, &letters[2]), 1);
    (void)uva_future_cancel(future);
    UVA_TICK();
    ck_assert_int_eq(letters[2].destroyed, 2);
    uva_future_unref(future);
}

UVA_TEST_STRICT(removed_callback_drops_the_future)
{
    uva_future_t *future = uva_create_future();
    letter_t letters[2] = {{.drops = true}, {0}};

    letters_add(letters, 2, future);
    ck_assert_uint_eq(
        uva_future_remove_done_callback(future, letter_never, &letters[0]), 1);
    ck_assert_int_eq(letters[1].destroyed, 1); /* With the future. */
}

/* --- reports --- */

typedef struct kept_s {
    uva_future_t *future;
    int told;
} kept_t;

static void
keep_told(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    kept_t *kept = data;

    (void)loop;
    kept->told++;
    kept->future = uva_future_ref(exception->future);
}

/* As in CPython, where Future.__del__ clears its mark before it tells. */
UVA_TEST(failure_that_the_handler_keeps_is_told_once)
{
    int code = VALUE_ERROR;
    kept_t kept = {0};
    uva_task_t *task;
    uva_future_t *future = uva_create_future();

    uva_loop_set_exception_handler(uva_get_running_loop(), keep_told, &kept);
    (void)uva_future_set_exception(future, VALUE_ERROR, NULL);
    uva_future_unref(future);
    ck_assert_int_eq(uva_future_exception(kept.future), VALUE_ERROR);
    uva_future_unref(kept.future);
    ck_assert_int_eq(kept.told, 1);

    task = uva_create_task(fail_with, &code);
    UVA_TICK();
    uva_task_unref(task);
    uva_future_unref(kept.future);
    ck_assert_int_eq(kept.told, 2);
}

/* --- texts --- */

/* A text may be set from itself, and from a part of itself. */
UVA_TEST(text_that_is_its_own_source)
{
    uva_task_t *task = uva_current_task();

    ck_assert_int_eq(uva_task_set_name(task, "a long name of a task"), 0);
    ck_assert_int_eq(uva_task_set_name(task, uva_task_get_name(task)), 0);
    ck_assert_str_eq(uva_task_get_name(task), "a long name of a task");
    ck_assert_int_eq(uva_task_set_name(task, uva_task_get_name(task) + 7), 0);
    ck_assert_str_eq(uva_task_get_name(task), "name of a task");

    ck_assert_int_eq(uva_fail(VALUE_ERROR, "a long text"), VALUE_ERROR);
    ck_assert_int_eq(
        uva_fail(VALUE_ERROR, "%s", uva_error_text(uva_task_error()) + 2),
        VALUE_ERROR);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "long text");
    ck_assert_int_eq(uva_raise(uva_task_error()), VALUE_ERROR);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "long text");
}

typedef struct ring_s {
    uva_task_t *first;
    uva_task_t *second;
} ring_t;

static int ring_second(void *arg, void **ret_result)
{
    const ring_t *ring = arg;

    (void)ret_result;
    return uva_await(UVA_FUTURE(ring->first), NULL);
}

static int ring_first(void *arg, void **ret_result)
{
    ring_t *ring = arg;
    int r;

    (void)ret_result;
    UVA_TICK();
    uva_task_cancel_message(ring->first, "a message that says why");
    r = uva_await(UVA_FUTURE(ring->second), NULL);
    ck_assert_int_lt(r, 0);
    return UV_ECANCELED;
}

/* The message of a cancellation that is due goes around a ring of awaits, to
 * the task that it comes from. */
UVA_TEST_STRICT(message_that_goes_around_a_ring)
{
    ring_t ring;

    ring.first = uva_create_task(ring_first, &ring);
    ring.second = uva_create_task(ring_second, &ring);
    UVA_TICK();
    UVA_TICK();
    UVA_TICK();
    UVA_TICK();
    ck_assert(uva_task_cancelled(ring.first));
    uva_task_unref(ring.first);
    uva_task_unref(ring.second);
}

/* --- the suite --- */

int main(void)
{
    Suite *suite = suite_create("reentry");
    TCase *loops = UVA_LOOPS_TCASE(suite, "Loops");
    TCase *callbacks = UVA_TCASE(suite, "Callbacks");
    TCase *reports = UVA_TCASE(suite, "Reports");
    TCase *texts = UVA_TCASE(suite, "Texts");

    tcase_add_test(loops, unref_of_an_open_loop);
    tcase_add_test(loops, unref_of_an_open_loop_that_drops_others);
    tcase_add_test(callbacks, removed_callback_removes_the_next);
    tcase_add_test(callbacks, removed_callback_drops_the_future);
    tcase_add_test(reports, failure_that_the_handler_keeps_is_told_once);
    tcase_add_test(texts, text_that_is_its_own_source);
    tcase_add_test(texts, message_that_goes_around_a_ring);
    return uva_test_main(suite);
}
