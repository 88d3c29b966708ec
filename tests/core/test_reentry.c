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

/* --- primitives --- */

typedef struct primitives_s {
    uva_lock_t lock;
    uva_event_t event;
    uva_semaphore_t semaphore;
    uva_condition_t condition;
    uva_queue_t queue;
} primitives_t;

static int bind_lock(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_lock_acquire(arg);
}

static int bind_event(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_event_wait(arg);
}

static int bind_semaphore(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_semaphore_acquire(arg);
}

static int bind_queue(void *arg, void **ret_result)
{
    void *item;

    (void)ret_result;
    return uva_queue_get(arg, &item);
}

static int bind_condition(void *arg, void **ret_result)
{
    uva_condition_t *condition = arg;
    int r = uva_condition_acquire(condition);

    (void)ret_result;
    r = r < 0 ? r : uva_condition_wait(condition);
    (void)uva_condition_release(condition);
    return r;
}

static int bind_all(void *arg, void **ret_result)
{
    primitives_t *all = arg;
    uva_task_t *tasks[] = {
        uva_create_task(bind_lock, &all->lock),
        uva_create_task(bind_event, &all->event),
        uva_create_task(bind_semaphore, &all->semaphore),
        uva_create_task(bind_queue, &all->queue),
        uva_create_task(bind_condition, &all->condition),
    };

    (void)ret_result;
    UVA_TICK();
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        (void)uva_task_cancel(tasks[i]);
        ck_assert_int_eq(UVA_JOIN(tasks[i]), UV_ECANCELED);
    }
    return 0;
}

/* A loop keeps no primitive and no primitive keeps a loop: one that has gone
 * belongs to nobody, and is not looked at. */
START_TEST(primitives_outlive_their_loop)
{
    primitives_t all;
    uva_loop_t *loop = new_loop();
    uva_task_t *task;

    uva_lock_init(&all.lock);
    uva_event_init(&all.event);
    uva_semaphore_init(&all.semaphore, 0);
    uva_condition_init(&all.condition, NULL);
    uva_queue_init(&all.queue, 0);
    ck_assert_int_eq(uva_lock_acquire_poll(&all.lock), 0);
    task = uva_loop_create_task(loop, bind_all, &all, NULL);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    end_loop(loop);
    ck_assert_ptr_eq(all.event.loop, loop);
    uva_event_set(&all.event);
    uva_event_clear(&all.event);
    ck_assert_int_eq(uva_lock_release(&all.lock), 0);
    ck_assert_int_eq(uva_semaphore_release(&all.semaphore), 0);
    ck_assert_int_eq(uva_condition_notify(&all.condition, 1), UV_EPERM);
    ck_assert_int_eq(uva_queue_put_nowait(&all.queue, &all), 0);
    uva_queue_shutdown(&all.queue, true);
    uva_queue_destroy(&all.queue);
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

/* --- closing --- */

typedef struct late_s {
    uva_loop_t *loop;
    uva_future_t *future; /* Of the loop; pending. */
    int called;
    int refused;
    int dropped;
} late_t;

static void late_never(void *data)
{
    (void)data;
    ck_abort_msg("a call ran on a loop that closes");
}

static int late_body(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_abort_msg("a body ran on a loop that closes");
    return 0;
}

static void late_count(void *data)
{
    late_t *late = data;

    late->dropped++;
}

static void late_expect(late_t *late, int r)
{
    ck_assert_int_eq(r, UV_EPERM);
    late->refused++;
}

/* Tries all that schedules. */
static void late_destroy(void *data)
{
    late_t *late = data;
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_task_options_t eager = UVA_TASK_OPTIONS_INIT;
    uva_loop_t *loop = late->loop;
    uva_future_t *refs[] = {late->future};

    late->called++;
    options.destroy = late_destroy;
    if (late->called > 1) {
        return; /* The destructor of a call that was refused. */
    }
    late_expect(late,
                uva_loop_call_soon(loop, late_never, late, &options, NULL));
    late_expect(late, uva_loop_call_later(loop, UVA_SEC(1), late_never, late,
                                          &options, NULL));
    late_expect(late, uva_loop_call_later(loop, UVA_FOREVER, late_never, late,
                                          &options, NULL));
    late_expect(late, uva_loop_call_soon_threadsafe(loop, late_never, late,
                                                    &options, NULL));
    eager.eager_start = true;
    eager.arg_destroy = late_count;
    late_expect(late, uva_future_exception(UVA_FUTURE(uva_loop_create_task(
                          loop, late_body, late, &eager))));
    options.destroy = late_count;
    late_expect(late, uva_future_add_done_callback(late->future, letter_never,
                                                   late, &options));
    late_expect(late, uva_future_exception(uva_shield_future(late->future)));
    (void)uva_future_ref(late->future);
    late_expect(
        late, uva_future_exception(uva_gather_future(UVA_FUTURES(refs), 1, 0)));
    late_expect(late, uva_loop_close(loop) == 0 ? UV_EPERM : 0);
    ck_assert(uva_loop_is_closed(loop));
    ck_assert_int_eq(uva_future_set_result(late->future, NULL, NULL), 0);
}

static void late_schedule(late_t *late, int way)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_loop_t *loop = late->loop;

    options.destroy = late_destroy;
    if (way == 0) {
        UVA_IGNORE(uva_loop_call_soon(loop, late_never, late, &options, NULL));
    } else if (way == 1) {
        UVA_IGNORE(uva_loop_call_later(loop, UVA_SEC(5), late_never, late,
                                       &options, NULL));
    } else if (way == 2) {
        UVA_IGNORE(uva_loop_call_later(loop, UVA_FOREVER, late_never, late,
                                       &options, NULL));
    } else if (way == 3) {
        UVA_IGNORE(uva_loop_call_soon_threadsafe(loop, late_never, late,
                                                 &options, NULL));
    } else { /* The result of a future that only a gathering one keeps. */
        uva_future_t *done = uva_loop_create_future(loop);
        uva_future_t *refs[] = {done, uva_loop_create_future(loop)};

        (void)uva_future_set_result(done, late, late_destroy);
        (void)uva_future_unref(uva_gather_future(UVA_FUTURES(refs), 2, 0));
    }
}

/* What a destructor schedules while its loop closes is refused, and what it
 * completes is done, and its callbacks are dropped. */
START_TEST(destructor_schedules_while_the_loop_closes)
{
    for (int way = 0; way < 10; way++) {
        uva_loop_t *loop = way % 2 == 0 ? new_loop() : new_real_loop();
        late_t late = {loop, uva_loop_create_future(loop), 0, 0, 0};
        uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

        options.destroy = late_count;
        ck_assert_int_eq(uva_future_add_done_callback(late.future, letter_never,
                                                      &late, &options),
                         0);
        late_schedule(&late, way / 2);
        end_loop(loop);
        ck_assert_int_eq(late.called, 5);
        ck_assert_int_eq(late.refused, 9);
        ck_assert_int_eq(late.dropped, 3);
        ck_assert_int_eq(uva_future_result(late.future, NULL), 0);
        uva_future_unref(late.future);
    }
}
END_TEST

static void
close_and_drop(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    (void)data;
    ck_assert_str_eq(exception->message, "the last one");
    end_loop(loop);
}

START_TEST(handler_drops_its_loop)
{
    uva_exception_t exception = {.size = sizeof exception,
                                 .message = "the last one"};
    uva_loop_t *loop = new_loop();

    uva_loop_set_exception_handler(loop, close_and_drop, NULL);
    uva_loop_call_exception_handler(loop, &exception);
}
END_TEST

static void again_destroy(void *data)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    late_t *late = data;

    options.destroy = again_destroy;
    late->called++;
    ck_assert_int_eq(
        uva_loop_call_soon(late->loop, late_never, late, &options, NULL),
        UV_EPERM);
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(late->loop, late_never, late,
                                                   &options, NULL),
                     UV_EPERM);
}

/* A destructor that schedules its own data anew comes to an end. */
START_TEST(destructor_schedules_itself_while_the_loop_closes)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();
    late_t late = {.loop = loop};

    options.destroy = again_destroy;
    ck_assert_int_eq(
        uva_loop_call_soon(loop, late_never, &late, &options, NULL), 0);
    end_loop(loop);
    ck_assert_int_eq(late.called, 3); /* Dropped, and refused in two ways. */
}
END_TEST

static void drop_future(void *data)
{
    uva_future_t **place = data;

    *place = uva_future_unref(*place);
}

/* The callbacks of a future that outlives its loop are dropped when it is
 * cancelled; a destructor of theirs drops the future, or what gathers it. */
START_TEST(future_is_cancelled_after_its_loop_closed)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    uva_future_t *children[2] = {uva_loop_create_future(loop),
                                 uva_loop_create_future(loop)};
    uva_future_t *gathered;

    options.destroy = drop_future;
    ck_assert_int_eq(
        uva_future_add_done_callback(future, letter_never, &future, &options),
        0);
    ck_assert_int_eq(uva_future_add_done_callback(children[0], letter_never,
                                                  &gathered, &options),
                     0);
    gathered = uva_gather_future(UVA_FUTURES(children), 2, 0);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert(uva_future_cancel(future));
    ck_assert(uva_future_cancel_message(gathered, "late"));
    ck_assert_ptr_null(future);
    ck_assert_ptr_null(gathered);
    uva_loop_unref(loop);
}
END_TEST

/* A future outlives its loop, and is completed then: its callbacks cannot run.
 * CPython raises "Event loop is closed", and drops them too. */
START_TEST(future_is_completed_after_its_loop_closed)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    letter_t letters[2] = {{.drops = true}, {0}};

    letters_add(letters, 2, future);
    end_loop(loop);
    ck_assert_int_eq(uva_future_set_result(uva_future_ref(future), NULL, NULL),
                     0);
    ck_assert_int_eq(letters[0].destroyed, 1);
    ck_assert_int_eq(letters[1].destroyed, 1);
    uva_future_unref(future);
}
END_TEST

static void
finish_all(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    int *told = data;

    ++*told;
    uva_task_cancel(exception->task);
    ck_assert_int_eq(uva_loop_run_forever(loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, exception->future, NULL),
                     UV_EPERM);
    uva_task_unref(uva_loop_create_task(loop, nothing, NULL, NULL));
}

/* The handler that is told of the tasks that keep a loop from closing cancels
 * them, and makes others. */
START_TEST(handler_acts_on_unfinished_tasks)
{
    uva_loop_t *loop = new_loop();
    int told = 0;
    int cancelled = 0;

    for (int i = 0; i < 2; i++) {
        uva_task_unref(uva_loop_create_task(loop, sleep_until_cancelled,
                                            &cancelled, NULL));
    }
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    uva_loop_set_exception_handler(loop, finish_all, &told);
    ck_assert_int_eq(uva_loop_close(loop), UV_EBUSY);
    ck_assert_int_eq(told, 2);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(cancelled, 2);
    end_loop(loop);
}
END_TEST

static void
shut_down(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    int *told = data;

    (void)exception;
    ++*told;
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), UV_EPERM);
}

static int fails_when_cancelled(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    UVA_IGNORE(uva_sleep(UVA_FOREVER));
    return VALUE_ERROR;
}

static int waits_on(void *arg, void **ret_result)
{
    (void)ret_result;
    UVA_IGNORE(uva_sleep(UVA_FOREVER));
    return uva_await(arg, NULL);
}

/* A shutdown that gives up tells what has failed; the handler begins another
 * one. */
START_TEST(handler_shuts_down_while_a_shutdown_ends)
{
    uva_shutdown_options_t options = UVA_SHUTDOWN_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    int told = 0;

    options.timeout_ns = UVA_SEC(1);
    uva_test_log_begin();
    uva_loop_set_exception_handler(loop, shut_down, &told);
    for (int i = 0; i < 2; i++) {
        uva_task_unref(
            uva_loop_create_task(loop, fails_when_cancelled, NULL, NULL));
    }
    uva_task_unref(uva_loop_create_task(loop, waits_on, future, NULL));
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(uva_loop_shutdown(loop, &options), UV_ETIMEDOUT);
    ck_assert_int_eq(told, 3);
    (void)uva_future_cancel(future);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    uva_future_unref(future);
    uva_loop_unref(loop);
    uva_test_log_end();
}
END_TEST

/* --- scheduled calls --- */

static int sleep_in_destructor_r;

static void sleep_destroy(void *data)
{
    (void)data;
    sleep_in_destructor_r = uva_sleep(UVA_SEC(2));
}

/* The destructor of a call that is cancelled waits past its deadline. */
UVA_TEST_STRICT(cancelled_call_waits_in_its_destructor)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_handle_t *handle;

    options.destroy = sleep_destroy;
    ck_assert_int_eq(uva_loop_call_later(uva_get_running_loop(), UVA_SEC(1),
                                         late_never, NULL, &options, &handle),
                     0);
    uva_handle_cancel(handle);
    ck_assert_int_eq(sleep_in_destructor_r, 0);
    uva_handle_unref(handle);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_SEC(2));
}

/* --- coroutines --- */

typedef struct keeper_s {
    uva_coroutine_t *coroutine;
    bool keeps;
} keeper_t;

static int keeper_body(void *arg, void **ret_result)
{
    keeper_t *keeper = arg;
    int r = uva_coroutine_yield(NULL, NULL);

    (void)ret_result;
    if (keeper->keeps) {
        (void)uva_coroutine_ref(keeper->coroutine);
    }
    return r;
}

/* A coroutine that ends because its last reference went makes another one. */
UVA_TEST_STRICT(coroutine_that_keeps_itself_at_its_end)
{
    keeper_t keeper = {.keeps = true};

    ck_assert_int_eq(
        uva_coroutine_new(keeper_body, &keeper, NULL, &keeper.coroutine), 0);
    ck_assert_int_eq(uva_coroutine_send(keeper.coroutine, NULL, NULL), 1);
    uva_coroutine_unref(keeper.coroutine);
    ck_assert(uva_coroutine_done(keeper.coroutine));
    uva_coroutine_unref(keeper.coroutine);
}

/* --- groups --- */

typedef struct child_s {
    uva_taskgroup_t *group;
    struct child_s *makes; /* A child of its own, in the same group. */
    bool cancels;          /* It cancels the group. */
    int code;              /* It ends with this at once. */
    int ended;             /* What its sleep gave. */
} child_t;

static const uva_task_options_t eagerly = {sizeof(uva_task_options_t),
                                           .eager_start = true};

static int child_body(void *arg, void **ret_result)
{
    child_t *child = arg;

    (void)ret_result;
    if (child->makes != NULL) {
        child->makes->group = child->group;
        (void)uva_taskgroup_create_task(child->group, child_body, child->makes,
                                        &eagerly);
    }
    if (child->cancels) {
        uva_taskgroup_cancel(child->group);
    }
    if (child->code < 0) {
        return child->code;
    }
    child->ended = uva_sleep(UVA_SEC(3600));
    return child->ended;
}

/* A child that starts eagerly ends its group before it is one: it is cancelled
 * like the others. */
UVA_TEST(eager_child_cancels_its_group)
{
    uva_taskgroup_t group;
    child_t child = {.group = &group, .cancels = true};

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_create_task(&group, child_body, &child, &eagerly);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(child.ended, UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), 0);
}

UVA_TEST(eager_child_has_a_sibling_that_fails)
{
    uva_taskgroup_t group;
    child_t sibling = {.code = VALUE_ERROR};
    child_t child = {.group = &group, .makes = &sibling};

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_create_task(&group, child_body, &child, &eagerly);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_int_eq(child.ended, UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), 0);
}

typedef struct maker_s {
    uva_taskgroup_t *group;
    uint64_t delay_ns; /* What the factory waits. */
    int ran;
    int refusal; /* What the factory refuses with. */
} maker_t;

static int maker_child(void *arg, void **ret_result)
{
    maker_t *maker = arg;

    (void)ret_result;
    maker->ran++;
    return 0;
}

static int maker_body(void *arg, void **ret_result)
{
    maker_t *maker = arg;

    (void)ret_result;
    (void)uva_taskgroup_create_task(maker->group, maker_child, maker, NULL);
    return 0;
}

/* Waits in the middle of the making of a child, though it may not. */
static uva_task_t *slow_factory(uva_loop_t *loop,
                                uva_coro_cb body,
                                void *arg,
                                const uva_task_options_t *options,
                                void *data)
{
    maker_t *maker = data;

    if (body == maker_child) {
        UVA_IGNORE(uva_sleep(maker->delay_ns));
    }
    if (body == maker_child && maker->refusal < 0) {
        return (uva_task_t *)(void *)uva_future_refused(maker->refusal);
    }
    return uva_loop_create_task(loop, body, arg, options);
}

/* The group of a child that a stranger makes waits for it. */
UVA_TEST_STRICT(group_waits_for_a_child_that_is_being_made)
{
    for (int refuses = 0; refuses < 2; refuses++) {
        uva_loop_t *loop = uva_get_running_loop();
        uva_taskgroup_t *group = malloc(sizeof *group);
        maker_t maker = {group, UVA_SEC(1), 0, refuses ? UV_EAGAIN : 0};
        uva_task_t *stranger = uva_create_task(maker_body, &maker);
        uint64_t begin_ns = uva_loop_time(loop);

        uva_loop_set_task_factory(loop, slow_factory, &maker);
        ck_assert_int_eq(uva_taskgroup_enter(group), 0);
        UVA_TICK();
        ck_assert_int_eq(uva_taskgroup_exit(group, 0),
                         refuses ? UVA_EGROUP : 0);
        free(group);
        ck_assert_uint_eq(uva_loop_time(loop) - begin_ns, UVA_SEC(1));
        ck_assert_int_eq(maker.ran, !refuses);
        uva_loop_set_task_factory(loop, NULL, NULL);
        ck_assert_int_eq(UVA_JOIN(stranger), 0);
    }
}

static int leaves_its_group(void *arg, void **ret_result)
{
    maker_t *maker = arg;

    (void)ret_result;
    ck_assert_int_eq(uva_taskgroup_enter(maker->group), 0);
    return uva_sleep(UVA_MS(500)); /* Without the exit. */
}

UVA_TEST_STRICT(group_is_left_while_a_child_is_made)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_taskgroup_t group;
    maker_t maker = {&group, UVA_SEC(1), 0, 0};
    uva_task_t *parent = uva_create_task(leaves_its_group, &maker);
    uva_task_t *stranger = uva_create_task(maker_body, &maker);

    uva_test_log_begin();
    uva_loop_set_task_factory(loop, slow_factory, &maker);
    ck_assert_int_eq(UVA_JOIN(parent), 0);
    ck_assert_int_eq(UVA_JOIN(stranger), 0);
    uva_loop_set_task_factory(loop, NULL, NULL);
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(maker.ran, 0); /* Cut off and cancelled. */
    ck_assert(logged("A task group was left without uva_taskgroup_exit"));
    uva_test_log_end();
}

/* --- factories --- */

UVA_TASK(void, helper, int *ran;)
{
    ++*args->ran;
    return 0;
}

/* Makes a typed task, a plain one, and the one it is asked for. */
static uva_task_t *three_factory(uva_loop_t *loop,
                                 uva_coro_cb body,
                                 void *arg,
                                 const uva_task_options_t *options,
                                 void *data)
{
    maker_t *maker = data;

    uva_task_unref(
        UVA_ERASE(uva_spawn_with(ON_LOOP(loop), helper, .ran = &maker->ran)));
    uva_task_unref(uva_loop_create_task(loop, maker_child, maker, NULL));
    return uva_loop_create_task(loop, body, arg, options);
}

static int makes_another(void *arg, void **ret_result)
{
    (void)ret_result;
    uva_task_unref(uva_create_task(nothing, NULL));
    return uva_sleep(*(const uint64_t *)arg);
}

/* What a factory makes itself is made at once; what the body makes of a task
 * that it starts eagerly passes through it. */
UVA_TEST(factory_makes_three_tasks)
{
    uva_loop_t *loop = uva_get_running_loop();
    uint64_t delay_ns = UVA_MS(1);
    maker_t maker = {0};

    uva_loop_set_task_factory(loop, three_factory, &maker);
    ck_assert_int_eq(UVA_JOIN(uva_create_task(sleep_for, &delay_ns)), 0);
    ck_assert_int_eq(maker.ran, 2);
    ck_assert_int_eq(
        UVA_JOIN(uva_create_task_with(makes_another, &delay_ns, &eagerly)), 0);
    ck_assert_int_eq(maker.ran, 6);
    uva_loop_set_task_factory(loop, NULL, NULL);
}

static void make_helper(void *data)
{
    uva_task_unref(UVA_ERASE(uva_spawn(helper, .ran = data)));
}

/* A group with a bound lets its children wait, and nobody else. */
UVA_TEST(bounded_group_holds_its_children_alone)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_task_options_t refused = {.size = 1, .arg_destroy = make_helper};
    uva_loop_t *loop = uva_get_running_loop();
    uint64_t delay_ns = UVA_SEC(1);
    maker_t maker = {0};
    uva_taskgroup_t group;

    options.max_running = 1;
    uva_loop_set_task_factory(loop, three_factory, &maker);
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
    for (int i = 0; i < 3; i++) {
        (void)uva_taskgroup_create_task(&group, sleep_for, &delay_ns, NULL);
    }
    UVA_TICK();
    ck_assert_int_eq(maker.ran, 6);
    uva_loop_set_task_factory(loop, NULL, NULL);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(uva_taskgroup_create_task(
                         &group, sleep_for, &maker.ran, &refused))),
                     UV_EINVAL);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_int_eq(maker.ran, 7);
}

/* Eager children of a group with a bound wait for their turn too. */
UVA_TEST(bounded_group_of_eager_children)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_loop_t *loop = uva_get_running_loop();
    maker_t maker = {0};
    uva_taskgroup_t group;

    options.max_running = 1;
    for (int by_factory = 0; by_factory < 2; by_factory++) {
        uint64_t delay_ns = UVA_SEC(1);

        if (by_factory) {
            uva_loop_set_task_factory(loop, uva_eager_task_factory, NULL);
        }
        maker.ran = 0;
        ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
        (void)uva_taskgroup_create_task(&group, sleep_for, &delay_ns, &eagerly);
        (void)uva_taskgroup_create_task(&group, maker_child, &maker, &eagerly);
        (void)uva_taskgroup_spawn(&group, helper, .ran = &maker.ran);
        ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
        ck_assert_int_eq(maker.ran, 0);
        ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
        ck_assert_int_eq(maker.ran, 2);
        uva_loop_set_task_factory(loop, NULL, NULL);
    }
}

/* --- queues --- */

typedef struct sorter_s {
    uva_queue_t queue;
    int refused;
} sorter_t;

static void expect_busy(sorter_t *sorter, int r)
{
    ck_assert_int_eq(r, UV_EBUSY);
    sorter->refused++;
}

/* Puts to the queue that it compares the items of, and gets from it. */
static int sorter_compare(const void *a, const void *b, void *data)
{
    sorter_t *sorter = data;
    uva_queue_t *queue = &sorter->queue;
    void *item = NULL;
    uva_select_case_t cases[] = {UVA_SELECT_GET(queue, &item),
                                 UVA_SELECT_PUT(queue, sorter)};

    expect_busy(sorter, uva_queue_put_nowait(queue, sorter));
    expect_busy(sorter, uva_queue_get_nowait(queue, &item));
    expect_busy(sorter, uva_queue_put(queue, sorter));
    expect_busy(sorter, uva_queue_get(queue, &item));
    expect_busy(sorter, uva_select(cases, 2));
    uva_queue_shutdown(queue, false);
    ck_assert_ptr_null(item);
    return *(const int *)a - *(const int *)b;
}

/* CPython: a heap that is changed while it compares raises in heapq. */
UVA_TEST_STRICT(comparison_uses_its_queue)
{
    int numbers[] = {5, 3, 8, 1, 9, 2, 7, 4, 6, 0, 11, 10};
    sorter_t sorter = {.refused = 0};
    void *item;

    for (size_t maxsize = 0; maxsize < 13; maxsize += 12) {
        uva_priority_queue_init(&sorter.queue, maxsize, sorter_compare,
                                &sorter);
        for (int i = 0; i < 12; i++) {
            ck_assert_int_eq(uva_queue_put(&sorter.queue, &numbers[i]), 0);
            sorter.queue.is_shutdown = false;
        }
        ck_assert(maxsize == 0 || uva_queue_full(&sorter.queue));
        for (int i = 0; i < 12; i++) {
            ck_assert_int_eq(uva_queue_get(&sorter.queue, &item), 0);
            ck_assert_int_eq(*(int *)item, i);
        }
        uva_queue_destroy(&sorter.queue);
    }
    ck_assert_int_gt(sorter.refused, 100);
}

typedef struct dropped_s {
    uva_queue_t *queue;
    int count;
    int r;
} dropped_t;

/* Uses the queue that drops the item. */
static void dropped_destroy(void *data)
{
    dropped_t *dropped = data;
    void *item;

    dropped->count++;
    dropped->r = uva_queue_put_nowait(dropped->queue, dropped);
    if (dropped->count == 1 &&
        uva_queue_get_nowait(dropped->queue, &item) == 0) {
        ck_assert_int_eq(uva_queue_task_done(dropped->queue), 0);
    }
}

static void dropped_fill(uva_queue_t *queue, dropped_t *dropped, int count)
{
    dropped->queue = queue;
    dropped->count = 0;
    uva_queue_set_destroy(queue, dropped_destroy);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(uva_queue_put(queue, dropped), 0);
    }
}

UVA_TEST_STRICT(dropped_items_use_their_queue)
{
    dropped_t dropped;
    uva_queue_t queue;

    uva_queue_init(&queue, 0);
    dropped_fill(&queue, &dropped, 5);
    uva_queue_shutdown(&queue, true);
    ck_assert_int_eq(dropped.count, 4);
    ck_assert_int_eq(dropped.r, UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(uva_queue_join(&queue), 0);
    uva_queue_destroy(&queue);

    dropped_fill(&queue, &dropped, 5);
    uva_queue_destroy(&queue);
    ck_assert_int_eq(dropped.count, 4);
    ck_assert_int_eq(dropped.r, UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(uva_queue_put_nowait(&queue, &dropped), 0);
    uva_queue_destroy(&queue);
}

KIND_TASK(void, getter, uva_queue_t *queue; void *item; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_get, self->queue, &self->item);
    ck_assert_int_eq(uva_waiter_get_stage(uva_waiter_current()), 0);
    UVA_END
    return self->r;
}

KIND_TASK(void, putter, uva_queue_t *queue; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_put, self->queue, self->queue);
    ck_assert_int_eq(uva_waiter_get_stage(uva_waiter_current()), 0);
    UVA_END
    return self->r;
}

KIND_TASK(void, joiner, uva_queue_t *queue; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_join, self->queue);
    UVA_END
    return self->r;
}

KIND_TASK(int, selector, uva_queue_t *queue; uva_queue_t * other; void *item;
          uva_select_case_t cases[2];
          int r;)
{
    UVA_BEGIN
    self->cases[0] =
        (uva_select_case_t)UVA_SELECT_GET(self->queue, &self->item);
    self->cases[1] =
        (uva_select_case_t)UVA_SELECT_GET(self->other, &self->item);
    AWAIT(self->r, uva_select, self->cases, 2);
    *ret = self->r;
    UVA_END
    return self->r < 0 ? self->r : 0;
}

/* A queue is destroyed while those who have waited for it did not run yet. */
UVA_TEST_STRICT(queue_is_destroyed_before_those_run_who_wait_no_more)
{
    uva_queue_t other = UVA_QUEUE_INIT(0);
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    getter_task_t *get = KIND_SPAWN(getter, &queue);
    selector_task_t *select[2];
    putter_task_t *put;
    joiner_task_t *join[2];
    int index = -1;

    for (int i = 0; i < 2; i++) {
        select[i] = KIND_SPAWN(selector, &queue, &other);
    }
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(get));
    ck_assert_int_eq(uva_queue_put_nowait(&other, &other), 0);
    uva_future_cancel(UVA_FUTURE(select[1]));
    uva_queue_destroy(&queue);
    ck_assert_int_eq(UVA_JOIN(get), UV_ECANCELED);
    ck_assert_int_eq(selector_await(select[0], &index), 0);
    ck_assert_int_eq(index, 1);
    ck_assert_int_eq(UVA_JOIN(select[1]), UV_ECANCELED);

    ck_assert_int_eq(uva_queue_put_nowait(&queue, &queue), 0);
    put = KIND_SPAWN(putter, &queue);
    for (int i = 0; i < 2; i++) {
        join[i] = KIND_SPAWN(joiner, &queue);
    }
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(put));
    uva_future_cancel(UVA_FUTURE(join[0]));
    ck_assert_int_eq(uva_queue_task_done(&queue), 0);
    uva_queue_destroy(&queue);
    ck_assert_int_eq(UVA_JOIN(put), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(join[0]), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(join[1]), 0);
    uva_queue_destroy(&queue);
    uva_queue_destroy(&other);
}

/* --- as_completed --- */

KIND_TASK(int, next_one, uva_as_completed_t *iterator; uva_future_t * future;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_as_completed_next, self->iterator, &self->future);
    *ret = self->r;
    UVA_END
    return self->r < 0 ? self->r : 0;
}

/* The iteration ends under tasks that wait in it, that were called, and that
 * were cancelled. */
UVA_TEST_STRICT(iteration_ends_before_those_run_who_wait_in_it)
{
    uva_future_t *futures[] = {uva_create_future(), uva_create_future(),
                               uva_create_future()};
    uva_as_completed_t iterator;
    next_one_task_t *tasks[3];
    int found = -1;

    ck_assert_int_eq(
        uva_as_completed_start(&iterator, UVA_FUTURES(futures), 3, UVA_SEC(1)),
        0);
    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_SPAWN(next_one, &iterator);
    }
    UVA_TICK();
    (void)uva_future_set_result(futures[0], NULL, NULL);
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(tasks[1]));
    uva_as_completed_destroy(&iterator);
    ck_assert_int_eq(next_one_await(tasks[0], &found), 0);
    ck_assert_int_eq(found, 0); /* It was called, but did not run before. */
    ck_assert_int_eq(UVA_JOIN(tasks[1]), UV_ECANCELED);
    ck_assert_int_eq(next_one_await(tasks[2], &found), 0);
    ck_assert_int_eq(found, 0);
    for (int i = 0; i < 3; i++) {
        uva_future_unref(futures[i]);
    }
}

/* --- arguments --- */

static int waited_r;

static void wait_in_destructor(uva_future_t *future)
{
    uva_sleep_op_t op;

    if (uva__block_check() == 0) {
        waited_r = uva_await(future, NULL);
        return;
    }
    ck_assert_ptr_null(uva_current_task());
    ck_assert_int_eq(uva_yield_poll(), UVA_ENOTASK);
    ck_assert_int_eq(uva_sleep_poll(&op, UVA_SEC(1)), UVA_ENOTASK);
    waited_r = uva_await_poll(future, NULL);
}

UVA_TASK_DROP(void, stackful_owner, stackful_drop, uva_future_t *future;)
{
    (void)args;
    (void)ret;
    return 0;
}

static void stackful_drop(stackful_owner_args_t *args)
{
    wait_in_destructor(args->future);
}

UVA_STACKLESS_DROP(void, stackless_owner, stackless_drop, uva_future_t *future;)
{
    UVA_BEGIN
    UVA_END
    return 0;
}

static void stackless_drop(stackless_owner_args_t *self)
{
    wait_in_destructor(self->future);
}

/* Who drops its arguments has ended but for that: a stackful task may wait in
 * it, a stackless one, and one that never began, cannot. */
UVA_TEST_STRICT(destructor_of_arguments_waits)
{
    uva_future_t *future = uva_create_future();
    stackful_owner_task_t *stackful = uva_spawn(stackful_owner, future);
    stackless_owner_task_t *stackless = uva_spawn(stackless_owner, future);

    ck_assert_int_eq(UVA_JOIN(stackless), 0);
    ck_assert_int_eq(waited_r, UVA_ENOTASK);
    ck_assert(!UVA_DONE(stackful));
    (void)uva_future_set_result(future, NULL, NULL);
    ck_assert_int_eq(UVA_JOIN(stackful), 0);
    ck_assert_int_eq(waited_r, 0);

    stackful = uva_spawn(stackful_owner, future);
    stackless = uva_spawn(stackless_owner, future);
    uva_future_cancel(UVA_FUTURE(stackful));
    uva_future_cancel(UVA_FUTURE(stackless));
    ck_assert_int_eq(UVA_JOIN(stackful), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(stackless), UV_ECANCELED);
    ck_assert_int_eq(waited_r, UVA_ENOTASK);
    uva_future_unref(future);
}

/* --- scopes --- */

static int leaves_two_timeouts(void *arg, void **ret_result)
{
    uva_timeout_t inner;

    (void)ret_result;
    ck_assert_int_eq(uva_timeout_enter(arg, UVA_SEC(1)), 0);
    ck_assert_int_eq(uva_timeout_enter(&inner, UVA_SEC(1)), 0);
    return 0;
}

static void
leave_outer(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    (void)loop;
    ck_assert_str_eq(exception->message,
                     "A timeout was left without uva_timeout_exit");
    ck_assert_int_eq(uva_timeout_exit(data, 0), 0);
}

/* The handler that is told of a timeout that was lost leaves the next one. */
UVA_TEST_STRICT(handler_leaves_a_scope_of_the_task_it_is_told_of)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_timeout_t outer;
    uva_task_t *task = uva_create_task(leaves_two_timeouts, &outer);

    uva_loop_set_exception_handler(loop, leave_outer, &outer);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    uva_loop_set_exception_handler(loop, NULL, NULL);
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

static int eager_deeper(void *arg, void **ret_result)
{
    int *steps = arg;
    volatile char frame[512];

    (void)ret_result;
    frame[*steps & 511] = 1;
    ++*steps;
    return uva_sleep(frame[*steps & 511] & 0);
}

static void
start_eagerly(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    (void)exception;
    options.eager_start = true;
    uva_task_unref(uva_loop_create_task(loop, eager_deeper, data, &options));
}

/* The handler runs in no task, but on the stack of the one that runs: tools see
 * whether what it starts comes back there. */
UVA_TEST(handler_starts_a_task_eagerly)
{
    int steps = 0;

    uva_loop_set_exception_handler(uva_get_running_loop(), start_eagerly,
                                   &steps);
    for (int i = 1; i <= 3; i++) {
        uva_future_t *future = uva_create_future();

        (void)uva_future_set_exception(future, VALUE_ERROR, NULL);
        uva_future_unref(future);
        ck_assert_int_eq(steps, i);
    }
    UVA_TICK();
    UVA_TICK();
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
    uva_future_cancel_message(UVA_FUTURE(ring->first),
                              "a message that says why");
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
    ck_assert(uva_future_cancelled(UVA_FUTURE(ring.first)));
    uva_task_unref(ring.first);
    uva_task_unref(ring.second);
}

/* --- the suite --- */

int main(void)
{
    Suite *suite = suite_create("reentry");
    TCase *loops = UVA_LOOPS_TCASE(suite, "Loops");
    TCase *callbacks = UVA_TCASE(suite, "Callbacks");
    TCase *closing = UVA_LOOPS_TCASE(suite, "Closing");
    TCase *calls = UVA_TCASE(suite, "Calls");
    TCase *coroutines = UVA_TCASE(suite, "Coroutines");
    TCase *groups = UVA_TCASE(suite, "Groups");
    TCase *factories = UVA_TCASE(suite, "Factories");
    TCase *queues = UVA_TCASE(suite, "Queues");
    TCase *iterators = UVA_TCASE(suite, "Iterators");
    TCase *arguments = UVA_TCASE(suite, "Arguments");
    TCase *scopes = UVA_TCASE(suite, "Scopes");
    TCase *reports = UVA_TCASE(suite, "Reports");
    TCase *texts = UVA_TCASE(suite, "Texts");

    UVA_ADD_TESTS(loops, unref_of_an_open_loop,
                  unref_of_an_open_loop_that_drops_others,
                  primitives_outlive_their_loop);
    UVA_ADD_TESTS(callbacks, removed_callback_removes_the_next,
                  removed_callback_drops_the_future);
    UVA_ADD_TESTS(closing, destructor_schedules_while_the_loop_closes,
                  destructor_schedules_itself_while_the_loop_closes,
                  future_is_cancelled_after_its_loop_closed,
                  future_is_completed_after_its_loop_closed,
                  handler_drops_its_loop, handler_acts_on_unfinished_tasks,
                  handler_shuts_down_while_a_shutdown_ends);
    UVA_ADD_TESTS(calls, cancelled_call_waits_in_its_destructor);
    UVA_ADD_TESTS(coroutines, coroutine_that_keeps_itself_at_its_end);
    UVA_ADD_TESTS(groups, eager_child_cancels_its_group,
                  eager_child_has_a_sibling_that_fails,
                  group_waits_for_a_child_that_is_being_made,
                  group_is_left_while_a_child_is_made);
    UVA_ADD_TESTS(factories, factory_makes_three_tasks,
                  bounded_group_holds_its_children_alone,
                  bounded_group_of_eager_children);
    UVA_ADD_TESTS(queues, comparison_uses_its_queue,
                  dropped_items_use_their_queue);
    KIND_ADD_TESTS(queues,
                   queue_is_destroyed_before_those_run_who_wait_no_more);
    KIND_ADD_TESTS(iterators, iteration_ends_before_those_run_who_wait_in_it);
    UVA_ADD_TESTS(arguments, destructor_of_arguments_waits);
    UVA_ADD_TESTS(scopes, handler_leaves_a_scope_of_the_task_it_is_told_of);
    UVA_ADD_TESTS(reports, failure_that_the_handler_keeps_is_told_once,
                  handler_starts_a_task_eagerly);
    UVA_ADD_TESTS(texts, text_that_is_its_own_source,
                  message_that_goes_around_a_ring);
    return uva_test_main(suite);
}
