/*
 * How a loop shares its time: iterations between two looks at the outside,
 * asyncio's own interleaving, ready work and the outside at the same time.
 */
#include "host.h"
#include "kinds.h"

/* --- looks --- */

static int looks;

static void count_look(uv_check_t *check)
{
    (void)check;
    looks++;
}

KIND_TASK(void, yielder, int count; int i; int r;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < self->count; self->i++) {
        AWAIT(self->r, uva_sleep, 0);
        if (self->r < 0) {
            return self->r;
        }
    }
    UVA_END
    return 0;
}

/* How often the host gets its turn while a task yields count times. */
static int looks_for(unsigned iterations_per_poll, int count)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    static uv_check_t check;
    yielder_task_t *task;
    uva_loop_t *own;

    options.iterations_per_poll = iterations_per_poll;
    ck_assert_int_eq(uva_loop_attach(&host, &options, &own), 0);
    ck_assert_int_eq(uv_check_init(&host, &check), 0);
    ck_assert_int_eq(uv_check_start(&check, count_look), 0);
    uv_unref((uv_handle_t *)&check);
    looks = 0;
    task = KIND_SPAWN_WITH(ON_LOOP(own), yielder, .count = count);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert(UVA_DONE(task));
    uva_task_unref(UVA_ERASE(task));
    uv_close((uv_handle_t *)&check, NULL);
    end_loop(own);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    return looks;
}

/* 61 iterations by default, and as many as were asked for. */
KIND_LOOP_TEST(iterations_between_two_looks)
{
    ck_assert_int_ge(looks_for(1, 200), 200);
    ck_assert_int_lt(looks_for(1, 200), 210);
    ck_assert_int_ge(looks_for(10, 200), 20);
    ck_assert_int_ge(looks_for(0, 610), 10);
    /* On a busy machine the time may be up before. */
    ck_assert_int_lt(looks_for(0, 610), 610);
}

static uva_test_trace_t trace;

static void note_event(uv_async_t *async)
{
    (void)async;
    uva_test_trace(&trace, "event");
}

typedef struct turn_s {
    int number;
    uv_async_t *async;
} turn_t;

static void take_turn(void *data)
{
    turn_t *turn = data;

    uva_test_trace(&trace, "%d", ++turn->number);
    if (turn->number == 2) {
        uv_async_send(turn->async);
    }
    if (turn->number < 5) {
        ck_assert_int_eq(uva_loop_call_soon(NULL, take_turn, turn, NULL, NULL),
                         0);
    }
}

/* With one iteration a look, what comes from outside is seen before the next
 * iteration, as in asyncio; else the ready work goes on for a while. */
START_TEST(asyncio_s_own_interleaving)
{
    const char *const expected[] = {"1 2 event 3 4 5", "1 2 3 4 5 event"};
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    static uv_async_t async;
    turn_t turn = {0, &async};
    uva_loop_t *own;

    memset(&trace, 0, sizeof trace);
    options.iterations_per_poll = _i == 0 ? 1 : 0;
    ck_assert_int_eq(uva_loop_attach(&host, &options, &own), 0);
    ck_assert_int_eq(uv_async_init(&host, &async, note_event), 0);
    call_soon(own, take_turn, &turn);
    while (turn.number < 5 || strstr(trace.text, "event") == NULL) {
        uv_run(&host, UV_RUN_ONCE);
    }
    ck_assert_str_eq(trace.text, expected[_i]);
    uv_close((uv_handle_t *)&async, NULL);
    end_loop(own);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}
END_TEST

/* --- ready work without end --- */

KIND_TASK(void, busy, int *steps; int r;)
{
    UVA_BEGIN
    do {
        ++*self->steps;
        AWAIT(self->r, uva_sleep, 0);
    } while (self->r == 0);
    UVA_END
    return self->r;
}

/* Stops once the tasks have come far, however busy the machine is. */
static void stop_timer(uv_timer_t *timer)
{
    const int *steps = timer->data;

    if (*steps > 100) {
        uva_loop_stop(guest);
        uv_timer_stop(timer);
    }
}

/* Tasks that always have something to do, and still the host's timer, uva's
 * deadlines and other threads' calls come. */
START_TEST(busy_tasks_starve_nobody)
{
    static uv_timer_t timer;
    busy_task_t *tasks[2];
    int steps = 0;
    int fired = 0;

    kind_stackful = _i == 0;
    for (int i = 0; i < 2; i++) {
        tasks[i] = KIND_SPAWN_WITH(ON_LOOP(guest), busy, .steps = &steps);
    }
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &steps;
    uv_update_time(&host); /* The 5 ms begin now, not when it was last read. */
    ck_assert_int_eq(uv_timer_start(&timer, stop_timer, 5, 5), 0);
    call_later(guest, UVA_MS(1), count_up, &fired);
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(guest, count_up, &fired, NULL, NULL), 0);
    ck_assert_int_eq(uva_loop_run_forever(guest), 0);
    ck_assert_int_eq(fired, 2);
    ck_assert_int_gt(steps, 100);
    for (int i = 0; i < 2; i++) {
        uva_task_cancel(UVA_ERASE(tasks[i]));
    }
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert(UVA_CANCELLED(tasks[i]));
        uva_task_unref(UVA_ERASE(tasks[i]));
    }
    uv_close((uv_handle_t *)&timer, NULL);
}
END_TEST

/* --- a loop of its own --- */

enum {
    CALLS = 10
};

typedef struct heard_s {
    uva_loop_t *loop;
    uint64_t told; /* The iteration. */
    uint64_t longest;
    int count;
} heard_t;

static void tell(void *data);

static void hear(void *data)
{
    heard_t *heard = data;
    uint64_t took = uva_loop_iterations(heard->loop) - heard->told;

    heard->longest = took > heard->longest ? took : heard->longest;
    if (++heard->count == CALLS) {
        uva_loop_stop(heard->loop);
    } else {
        call_later(heard->loop, UVA_US(100), tell, heard);
    }
}

static void tell_from_thread(void *data)
{
    heard_t *heard = data;

    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(heard->loop, hear, heard, NULL, NULL), 0);
}

static void tell(void *data)
{
    heard_t *heard = data;
    uv_thread_t thread;

    heard->told = uva_loop_iterations(heard->loop);
    ck_assert_int_eq(uv_thread_create(&thread, tell_from_thread, heard), 0);
    ck_assert_int_eq(uv_thread_join(&thread), 0);
}

/* Nothing is to be polled for: each look still takes calls of other threads and
 * deadlines. */
KIND_LOOP_TEST(busy_loop_alone_hears_at_each_look)
{
    uva_loop_t *loop = new_real_loop();
    heard_t heard = {.loop = loop};
    int steps = 0;
    busy_task_t *task = KIND_SPAWN_WITH(ON_LOOP(loop), busy, .steps = &steps);

    call_later(loop, UVA_US(100), tell, &heard);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(heard.count, CALLS);
    ck_assert_uint_le(heard.longest, 61 + 2);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     UV_ECANCELED);
    uva_task_unref(UVA_ERASE(task));
    end_loop(loop);
}

static void hear_slow(void *data)
{
    heard_t *heard = data;
    uint64_t took = uva_loop_iterations(heard->loop) - heard->told;

    heard->longest = took > heard->longest ? took : heard->longest;
    heard->count++;
}

static void tell_slow(void *data)
{
    heard_t *heard = data;

    ck_assert_int_eq(uva_loop_call_soon_threadsafe(heard->loop, hear_slow,
                                                   heard, NULL, NULL),
                     0);
}

KIND_TASK(void, slow_and_tells, heard_t *heard; int i; uint64_t until_ns;
          uv_thread_t thread;
          int r;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 400; self->i++) {
        self->until_ns = uv_hrtime() + UVA_US(20);
        while (uv_hrtime() < self->until_ns) {
        }
        if (self->i >= 300 && self->i % 10 == 0) {
            self->heard->told = uva_loop_iterations(self->heard->loop);
            ck_assert_int_eq(
                uv_thread_create(&self->thread, tell_slow, self->heard), 0);
            ck_assert_int_eq(uv_thread_join(&self->thread), 0);
        }
        AWAIT(self->r, uva_sleep, 0);
    }
    UVA_END
    return 0;
}

/* Few looks read the clock where there is no deadline: they still learn that
 * steps take long, and looks come sooner then. */
KIND_LOOP_TEST(slow_loop_alone_hears_soon)
{
    uva_loop_t *loop = new_real_loop();
    heard_t heard = {.loop = loop};
    slow_and_tells_task_t *task =
        KIND_SPAWN_WITH(ON_LOOP(loop), slow_and_tells, .heard = &heard);

    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    ck_assert_int_eq(heard.count, 10);
    ck_assert_uint_le(heard.longest, 8);
    uva_task_unref(UVA_ERASE(task));
    end_loop(loop);
}

/* Once somebody has the uv_loop_t, it is polled at each look. */
KIND_LOOP_TEST(loop_that_was_asked_for_is_polled_at_each_look)
{
    static uv_check_t check;
    uva_loop_t *loop = new_real_loop();
    yielder_task_t *task =
        KIND_SPAWN_WITH(ON_LOOP(loop), yielder, .count = 2000);

    ck_assert_int_eq(uv_check_init(uva_loop_uv(loop), &check), 0);
    ck_assert_int_eq(uv_check_start(&check, count_look), 0);
    looks = 0;
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    ck_assert_int_ge(looks, 2000 / 61);
    uva_task_unref(UVA_ERASE(task));
    uv_close((uv_handle_t *)&check, NULL);
    end_loop(loop);
}

/* Steps that take long are few between two looks. */
KIND_TASK(void, slow, int count; int i; uint64_t until_ns; int r;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < self->count; self->i++) {
        self->until_ns = uv_hrtime() + UVA_US(100);
        while (uv_hrtime() < self->until_ns) {
        }
        AWAIT(self->r, uva_sleep, 0);
    }
    UVA_END
    return 0;
}

START_TEST(slow_steps_are_few_between_looks)
{
    static uv_check_t check;
    slow_task_t *task;

    kind_stackful = _i == 0;
    task = KIND_SPAWN_WITH(ON_LOOP(guest), slow, .count = 150);
    ck_assert_int_eq(uv_check_init(&host, &check), 0);
    ck_assert_int_eq(uv_check_start(&check, count_look), 0);
    uv_unref((uv_handle_t *)&check);
    looks = 0;
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert(UVA_DONE(task));
    /* 61 steps before they are measured, about one a look then. */
    ck_assert_int_ge(looks, 60);
    uva_task_unref(UVA_ERASE(task));
    uv_close((uv_handle_t *)&check, NULL);
}
END_TEST

/* --- time --- */

static void read_twice(void *data)
{
    uint64_t *times = data;
    uva_loop_t *running = uva_get_running_loop();
    uint64_t until_ns;

    times[0] = uva_loop_time(running);
    until_ns = uv_hrtime() + UVA_US(50);
    while (uv_hrtime() < until_ns) {
    }
    times[1] = uva_loop_time(running);
}

/* The loop's clock is the monotonic one and goes on while a callback runs. */
START_TEST(clock_goes_on)
{
    uint64_t times[2] = {0, 0};
    uint64_t before_ns = uv_hrtime();

    call_soon(guest, read_twice, times);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_uint_ge(times[0], before_ns);
    ck_assert_uint_ge(times[1], times[0] + UVA_US(50));
    ck_assert_uint_le(times[1], uv_hrtime());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("turn");
    TCase *turns = UVA_HOST_TCASE(suite, "Looks");
    TCase *fairness = UVA_HOST_TCASE(suite, "Fairness");

    KIND_ADD_TESTS(turns, iterations_between_two_looks);
    tcase_add_loop_test(turns, asyncio_s_own_interleaving, 0, 2);
    UVA_ADD_TESTS(turns, clock_goes_on);
    KIND_ADD_TESTS(
        fairness, busy_tasks_starve_nobody, slow_steps_are_few_between_looks,
        busy_loop_alone_hears_at_each_look, slow_loop_alone_hears_soon,
        loop_that_was_asked_for_is_polled_at_each_look);
    return uva_test_main(suite);
}
