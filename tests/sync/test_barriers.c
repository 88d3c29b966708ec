/*
 * Barrier: CPython's tests. Each task of a test gets the same party.
 */
#include "kinds.h"

#include <string.h>

enum {
    N = 5 /* Parties, where a test does not say otherwise. */
};

typedef struct party_s {
    uva_barrier_t barrier;
    uva_barrier_t second;
    int count;
    int left;
    int results1;
    int results2;
    int results3;
    bool aborts; /* Tasks abort the barrier, where others reset it. */
    bool resets; /* Tasks reset the barrier that was aborted. */
    uva_test_trace_t trace;
} party_t;

static void party_init(party_t *party, int parties)
{
    memset(party, 0, sizeof *party);
    ck_assert_int_eq(uva_barrier_init(&party->barrier, parties), 0);
}

static bool describes(const uva_barrier_t *barrier, const char *words)
{
    char text[80];

    uva_repr(barrier, text, sizeof text);
    ck_assert_int_eq(strncmp(text, "<Barrier object at 0x", 21), 0);
    return strstr(text, words) != NULL;
}

static void check_empty(const uva_barrier_t *barrier)
{
    ck_assert_int_eq(uva_barrier_n_waiting(barrier), 0);
    ck_assert(!uva_barrier_broken(barrier));
}

/* Run count tasks of a function to their end. */
#define GATHER_TASKS(name, party, size)                                      \
    do {                                                                     \
        name##_task_t *gathered[N];                                          \
        for (int i = 0; i < (size); i++) {                                   \
            gathered[i] = KIND_SPAWN(name, party);                           \
        }                                                                    \
        ck_assert_int_eq(uva_gather(UVA_FUTURES(gathered), (size), 0, NULL), \
                         0);                                                 \
    } while (0)

KIND_TASK(int, wait_here, uva_barrier_t *barrier; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, self->barrier);
    *ret = self->r;
    /* What a poll keeps in the waiter it leaves as it was. */
    ck_assert_int_eq(uva_waiter_get_value(uva_waiter_current()), 0);
    ck_assert_int_eq(uva_waiter_get_stage(uva_waiter_current()), 0);
    UVA_END
    return self->r < 0 ? self->r : 0;
}

KIND_TASK(void, reset_here, uva_barrier_t *barrier; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_reset, self->barrier);
    UVA_END
    return self->r;
}

KIND_TASK(void, abort_here, uva_barrier_t *barrier; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_abort, self->barrier);
    UVA_END
    return self->r;
}

UVA_TEST(barrier_barrier)
{
    /* test_locks.py, BarrierTests.test_barrier */
    uva_barrier_t barrier = UVA_BARRIER_INIT(N);

    ck_assert(describes(&barrier, "filling"));
    check_empty(&barrier);
    ck_assert(describes(&barrier, "filling"));
}

UVA_TEST(barrier_repr)
{
    /* test_locks.py, BarrierTests.test_repr */
    uva_barrier_t barrier = UVA_BARRIER_INIT(N);
    uva_future_t *tasks[9];
    uva_result_t results[9];
    int count = 0;

    ck_assert(describes(&barrier, "filling"));
    for (; count < 2; count++) {
        tasks[count] = UVA_FUTURE(KIND_SPAWN(wait_here, &barrier));
    }
    UVA_TICK();
    ck_assert(describes(&barrier, "waiters:2/5"));
    ck_assert(describes(&barrier, "filling"));

    for (; count < uva_barrier_parties(&barrier); count++) {
        tasks[count] = UVA_FUTURE(KIND_SPAWN(wait_here, &barrier));
    }
    UVA_TICK();
    ck_assert(describes(&barrier, "draining"));

    for (; count < N + 2; count++) {
        tasks[count] = UVA_FUTURE(KIND_SPAWN(wait_here, &barrier));
    }
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_reset(&barrier), 0);
    ck_assert(describes(&barrier, "resetting"));

    for (; count < N + 4; count++) {
        tasks[count] = UVA_FUTURE(KIND_SPAWN(wait_here, &barrier));
    }
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_abort(&barrier), 0);
    ck_assert(describes(&barrier, "[broken]"));
    ck_assert(uva_barrier_broken(&barrier));
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), (size_t)count,
                                UVA_RETURN_EXCEPTIONS, results),
                     0);
}

UVA_TEST(barrier_parties)
{
    /* test_locks.py, BarrierTests.test_barrier_parties */
    uva_barrier_t barrier;

    ck_assert_int_eq(uva_barrier_init(&barrier, 0), UV_EINVAL);
    ck_assert_int_eq(uva_barrier_init(&barrier, -4), UV_EINVAL);
    ck_assert_int_eq(uva_barrier_init(&barrier, N), 0);
    ck_assert_int_eq(uva_barrier_parties(&barrier), N);
}

UVA_TEST(barrier_context_manager)
{
    /* test_locks.py, BarrierTests.test_context_manager */
    uva_barrier_t barrier = UVA_BARRIER_INIT(3);
    wait_here_task_t *tasks[3];
    int places[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_SPAWN(wait_here, &barrier);
    }
    ck_assert_int_eq(wait_here_gather(tasks, 3, 0, NULL, places), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(places[i], i);
    }
    check_empty(&barrier);
}

UVA_TEST(barrier_filling_one_task)
{
    /* test_locks.py, BarrierTests.test_filling_one_task */
    uva_barrier_t barrier = UVA_BARRIER_INIT(1);

    ck_assert_int_eq(uva_barrier_wait(&barrier), 0);
    check_empty(&barrier);
}

UVA_TEST(barrier_filling_one_task_twice)
{
    /* test_locks.py, BarrierTests.test_filling_one_task_twice */
    uva_barrier_t barrier = UVA_BARRIER_INIT(1);
    wait_here_task_t *t1 = KIND_SPAWN(wait_here, &barrier);
    wait_here_task_t *t2;
    int place1 = -1;
    int place2 = -2;

    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&barrier), 0);
    t2 = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    ck_assert(UVA_DONE(t1) && UVA_DONE(t2));
    ck_assert_int_eq(wait_here_await(t1, &place1), 0);
    ck_assert_int_eq(wait_here_await(t2, &place2), 0);
    ck_assert_int_eq(place1, place2);
    check_empty(&barrier);
}

UVA_TEST(barrier_filling_task_by_task)
{
    /* test_locks.py, BarrierTests.test_filling_task_by_task */
    uva_barrier_t barrier = UVA_BARRIER_INIT(3);
    wait_here_task_t *tasks[3];

    tasks[0] = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&barrier), 1);
    ck_assert(describes(&barrier, "filling"));
    tasks[1] = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&barrier), 2);
    ck_assert(describes(&barrier, "filling"));
    tasks[2] = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    ck_assert_int_eq(uva_wait(UVA_FUTURES(tasks), 3, UVA_FOREVER,
                              UVA_ALL_COMPLETED, NULL, NULL),
                     3);
    check_empty(&barrier);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 3, 0, NULL), 0);
}

KIND_TASK(int, wait_twice, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    self->party->results1++;
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    self->party->results2++;
    *ret = self->r;
    UVA_END
    return 0;
}

UVA_TEST(barrier_filling_tasks_wait_twice)
{
    /* test_locks.py, BarrierTests.test_filling_tasks_wait_twice, and
     * test_locks.py, BarrierTests.test_filling_tasks_check_return_value */
    party_t party;
    wait_twice_task_t *tasks[N];
    int places[N];
    unsigned seen = 0;

    party_init(&party, N);
    for (int i = 0; i < N; i++) {
        tasks[i] = KIND_SPAWN(wait_twice, &party);
    }
    ck_assert_int_eq(wait_twice_gather(tasks, N, 0, NULL, places), 0);
    ck_assert_int_eq(party.results1, N);
    ck_assert_int_eq(party.results2, N);
    for (int i = 0; i < N; i++) {
        ck_assert_int_lt(places[i], N);
        seen |= 1u << places[i];
    }
    ck_assert_uint_eq(seen, (1u << N) - 1);
    check_empty(&party.barrier);
}

KIND_TASK(void, look_around, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    uva_test_trace(&self->party->trace, "%d",
                   describes(&self->party->barrier, "draining"));
    UVA_END
    return 0;
}

UVA_TEST(barrier_draining_state)
{
    /* test_locks.py, BarrierTests.test_draining_state */
    party_t party;

    party_init(&party, N);
    GATHER_TASKS(look_around, &party, N);
    /* The last to leave has made it fill again. */
    ck_assert_str_eq(party.trace.text, "1 1 1 1 0");
    check_empty(&party.barrier);
}

KIND_TASK(void, wait_while_draining, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    if (self->party->left > 0) {
        self->party->left--;
        AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    } else {
        /* For the end of the draining, then for the others. */
        AWAIT(self->r, uva_barrier_wait, &self->party->second);
        ck_assert_int_ge(self->r, 0);
        AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    }
    ck_assert_int_ge(self->r, 0);
    UVA_END
    return 0;
}

UVA_TEST(barrier_blocking_tasks_while_draining)
{
    /* test_locks.py, BarrierTests.test_blocking_tasks_while_draining */
    party_t party;

    party_init(&party, N);
    party.left = 2;
    ck_assert_int_eq(uva_barrier_init(&party.second, N - 2), 0);
    GATHER_TASKS(wait_while_draining, &party, N);
    check_empty(&party.barrier);
    check_empty(&party.second);
}

KIND_TASK(void, wait_and_count, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    if (self->r < 0) {
        return self->r;
    }
    self->party->results1++;
    UVA_END
    return 0;
}

UVA_TEST(barrier_filling_tasks_cancel_one)
{
    /* test_locks.py, BarrierTests.test_filling_tasks_cancel_one */
    party_t party;
    wait_and_count_task_t *t1;
    wait_and_count_task_t *tasks[3];

    party_init(&party, 3);
    t1 = KIND_SPAWN(wait_and_count, &party);
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 1);
    tasks[0] = KIND_SPAWN(wait_and_count, &party);
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 2);

    uva_future_cancel(UVA_FUTURE(t1));
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 1);
    ck_assert_int_eq(uva_await(UVA_FUTURE(t1), NULL), UV_ECANCELED);
    ck_assert(UVA_CANCELLED(t1));
    ck_assert_int_eq(UVA_JOIN(t1), UV_ECANCELED);

    tasks[1] = KIND_SPAWN(wait_and_count, &party);
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 2);
    tasks[2] = KIND_SPAWN(wait_and_count, &party);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 3, 0, NULL), 0);
    ck_assert_int_eq(party.results1, 3);
    check_empty(&party.barrier);
}

UVA_TEST(barrier_reset_barrier)
{
    /* test_locks.py, BarrierTests.test_reset_barrier */
    uva_barrier_t barrier = UVA_BARRIER_INIT(1);
    reset_here_task_t *task = KIND_SPAWN(reset_here, &barrier);

    UVA_TICK();
    check_empty(&barrier);
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(UVA_JOIN(task), 0);
}

KIND_TASK(void, expect_broken, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    self->party->results1 += self->r == UVA_EBROKENBARRIER;
    UVA_END
    return 0;
}

UVA_TEST(barrier_reset_barrier_while_tasks_waiting)
{
    /* test_locks.py, BarrierTests.test_reset_barrier_while_tasks_waiting */
    party_t party;
    expect_broken_task_t *tasks[N - 1];
    reset_here_task_t *reset;

    party_init(&party, N);
    for (int i = 0; i < N - 1; i++) {
        tasks[i] = KIND_SPAWN(expect_broken, &party);
    }
    UVA_TICK();
    reset = KIND_SPAWN(reset_here, &party.barrier);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), N - 1, 0, NULL), 0);
    ck_assert_int_eq(party.results1, N - 1);
    ck_assert(!describes(&party.barrier, "resetting"));
    check_empty(&party.barrier);
    ck_assert_int_eq(UVA_JOIN(reset), 0);
}

KIND_TASK(void, half_draining, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    if (self->r == UVA_EBROKENBARRIER) {
        self->party->results1++;
    } else if (self->party->barrier.count == N / 2) {
        AWAIT_IS(0, uva_barrier_reset, &self->party->barrier);
    }
    UVA_END
    return 0;
}

UVA_TEST(barrier_reset_barrier_when_tasks_half_draining)
{
    /* test_locks.py, BarrierTests.test_reset_barrier_when_tasks_half_draining
     */
    party_t party;

    party_init(&party, N);
    GATHER_TASKS(half_draining, &party, N);
    ck_assert_int_eq(party.results1, N / 2);
    ck_assert(!describes(&party.barrier, "resetting"));
    check_empty(&party.barrier);
}

KIND_TASK(void, half_blocking, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    if (self->r == UVA_EBROKENBARRIER) {
        self->party->results1++;
    } else if (++self->party->count > N / 2) {
        if (self->party->aborts) {
            AWAIT(self->r, uva_barrier_abort, &self->party->barrier);
        } else {
            AWAIT(self->r, uva_barrier_reset, &self->party->barrier);
        }
        ck_assert_int_eq(self->r, 0);
    } else {
        AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
        self->party->results2 += self->r == UVA_EBROKENBARRIER;
        return 0;
    }
    if (!self->party->aborts) {
        AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
        ck_assert_int_ge(self->r, 0);
    }
    UVA_END
    return 0;
}

/* The tasks that block while others leave are let in by a reset, and sent away
 * by an abort. */
static const struct {
    const char *name;
    bool aborts;
    int blocked_and_failed;
} half[] = {
    /* test_locks.py, BarrierTests: rows */
    {"reset_barrier_when_tasks_half_draining_half_blocking", false, 0},
    {"abort_barrier_when_tasks_half_draining_half_blocking", true,
     N - N / 2 - 1},
};

UVA_TEST(barrier_half_draining_half_blocking)
{
    bool aborts = UVA_ROW(half)->aborts;
    party_t party;

    party_init(&party, N);
    party.aborts = aborts;
    GATHER_TASKS(half_blocking, &party, N);
    ck_assert_int_eq(party.results1, N / 2);
    ck_assert_int_eq(party.results2, UVA_ROW(half)->blocked_and_failed);
    ck_assert(!describes(&party.barrier, "resetting"));
    ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 0);
    ck_assert_int_eq(uva_barrier_broken(&party.barrier), aborts);
}

KIND_TASK(void, waiting_again, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    self->party->results1 += self->r == UVA_EBROKENBARRIER;
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    self->party->results2++;
    UVA_END
    return 0;
}

KIND_TASK(void, waiting_once, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    self->party->results2++;
    UVA_END
    return 0;
}

UVA_TEST(barrier_reset_barrier_while_tasks_waiting_and_waiting_again)
{
    /* test_locks.py,
     * BarrierTests.test_reset_barrier_while_tasks_waiting_and_waiting_again
     */
    party_t party;
    waiting_again_task_t *tasks[N - 1];
    reset_here_task_t *reset;
    waiting_once_task_t *last;

    party_init(&party, N);
    for (int i = 0; i < N - 1; i++) {
        tasks[i] = KIND_SPAWN(waiting_again, &party);
    }
    reset = KIND_SPAWN(reset_here, &party.barrier);
    UVA_TICK();
    last = KIND_SPAWN(waiting_once, &party);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), N - 1, 0, NULL), 0);
    ck_assert(!uva_barrier_broken(&party.barrier));
    ck_assert_int_eq(party.results1, N - 1);
    ck_assert_int_eq(party.results2, N);
    ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 0);
    ck_assert_int_eq(UVA_JOIN(reset), 0);
    ck_assert_int_eq(UVA_JOIN(last), 0);
}

KIND_TASK(void, reset_while_draining, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    if (++self->party->count == N) {
        /* The last to leave. */
        AWAIT_IS(0, uva_barrier_reset, &self->party->barrier);
        AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
        ck_assert_int_ge(self->r, 0);
    } else {
        AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
        if (self->r >= 0) {
            self->party->results1++;
        } else {
            self->party->results2++;
        }
    }
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    self->party->results3++;
    UVA_END
    return 0;
}

UVA_TEST(barrier_reset_barrier_while_tasks_draining)
{
    /* test_locks.py, BarrierTests.test_reset_barrier_while_tasks_draining */
    party_t party;

    party_init(&party, N);
    GATHER_TASKS(reset_while_draining, &party, N);
    ck_assert_int_eq(party.results1, N - 1);
    ck_assert_int_eq(party.results2, 0);
    ck_assert_int_eq(party.results3, N);
    check_empty(&party.barrier);
}

UVA_TEST(barrier_abort_barrier)
{
    /* test_locks.py, BarrierTests.test_abort_barrier */
    uva_barrier_t barrier = UVA_BARRIER_INIT(1);
    abort_here_task_t *task = KIND_SPAWN(abort_here, &barrier);

    UVA_TICK();
    ck_assert_int_eq(uva_barrier_n_waiting(&barrier), 0);
    ck_assert(uva_barrier_broken(&barrier));
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(uva_barrier_wait(&barrier), UVA_EBROKENBARRIER);
}

KIND_TASK(void, abort_by_failure, party_t *party; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    if (self->r == N / 2) {
        AWAIT(self->r, uva_barrier_abort, &self->party->barrier);
        ck_assert_int_eq(self->r, 0);
    } else {
        if (self->r >= 0) {
            AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
            self->party->results1 += self->r >= 0;
        }
        self->party->results2 += self->r == UVA_EBROKENBARRIER;
    }
    if (!self->party->resets) {
        return 0;
    }

    /* All have left the first when it is reset, and none comes before. */
    AWAIT(self->r, uva_barrier_wait, &self->party->second);
    if (self->r == N / 2) {
        AWAIT_IS(0, uva_barrier_reset, &self->party->barrier);
    }
    AWAIT(self->r, uva_barrier_wait, &self->party->second);
    ck_assert_int_ge(self->r, 0);
    AWAIT(self->r, uva_barrier_wait, &self->party->barrier);
    ck_assert_int_ge(self->r, 0);
    self->party->results3++;
    UVA_END
    return 0;
}

UVA_TEST(barrier_abort_barrier_when_exception)
{
    /* test_locks.py, BarrierTests.test_abort_barrier_when_exception, and
     * test_locks.py,
     * BarrierTests.test_abort_barrier_when_exception_then_resetting
     */
    for (int resets = 0; resets < 2; resets++) {
        party_t party;

        party_init(&party, N);
        party.resets = resets != 0;
        ck_assert_int_eq(uva_barrier_init(&party.second, N), 0);
        GATHER_TASKS(abort_by_failure, &party, N);
        ck_assert_int_eq(party.results1, 0);
        ck_assert_int_eq(party.results2, N - 1);
        ck_assert_int_eq(party.results3, resets ? N : 0);
        ck_assert_int_eq(uva_barrier_n_waiting(&party.barrier), 0);
        ck_assert_int_eq(uva_barrier_broken(&party.barrier), !resets);
    }
}

/* Cancelled where it waits for the lock, and while others leave. */
UVA_TEST(barrier_cancelled_on_the_way_in)
{
    uva_barrier_t barrier = UVA_BARRIER_INIT(2);
    wait_here_task_t *task;

    ck_assert_int_eq(uva_condition_acquire(&barrier.condition), 0);
    task = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(uva_condition_locked(&barrier.condition));

    barrier.state = UVA__BARRIER_DRAINING;
    ck_assert_int_eq(uva_condition_release(&barrier.condition), 0);
    task = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(!uva_condition_locked(&barrier.condition));
    ck_assert_int_eq(barrier.count, 0);
}

/* The places come back in the order of arrival, the last one first of all. */
UVA_TEST(barrier_places)
{
    uva_barrier_t barrier = UVA_BARRIER_INIT(3);
    wait_here_task_t *t0 = KIND_SPAWN(wait_here, &barrier);
    wait_here_task_t *t1 = KIND_SPAWN(wait_here, &barrier);
    int place = -1;

    UVA_TICK();
    ck_assert_int_eq(uva_barrier_wait(&barrier), 2);
    ck_assert(!UVA_DONE(t0) && !UVA_DONE(t1));
    ck_assert_int_eq(wait_here_await(t0, &place), 0);
    ck_assert_int_eq(place, 0);
    ck_assert_int_eq(wait_here_await(t1, &place), 0);
    ck_assert_int_eq(place, 1);
    check_empty(&barrier);
}

/* A place is the number of those inside when one comes: after one that waited
 * was cancelled a place is given twice. CPython gives 2, 1 and 1, too. */
UVA_TEST(barrier_places_after_a_cancellation)
{
    uva_barrier_t barrier = UVA_BARRIER_INIT(3);
    wait_here_task_t *t0 = KIND_SPAWN(wait_here, &barrier);
    wait_here_task_t *t1 = KIND_SPAWN(wait_here, &barrier);
    wait_here_task_t *t2;
    int places[2] = {-1, -1};

    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(t0));
    ck_assert_int_eq(UVA_JOIN(t0), UV_ECANCELED);
    t2 = KIND_SPAWN(wait_here, &barrier);
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(uva_barrier_wait(&barrier), 2);
    ck_assert_int_eq(wait_here_await(t1, &places[0]), 0);
    ck_assert_int_eq(wait_here_await(t2, &places[1]), 0);
    ck_assert_int_eq(places[0], 1);
    ck_assert_int_eq(places[1], 1);
    check_empty(&barrier);
}

int main(void)
{
    Suite *suite = suite_create("barriers");
    TCase *tcase;

    tcase = UVA_TCASE(suite, "Barrier");
    UVA_ADD_TESTS(tcase, barrier_barrier);
    KIND_ADD_TESTS(tcase, barrier_repr);
    UVA_ADD_TESTS(tcase, barrier_parties);
    KIND_ADD_TESTS(tcase, barrier_context_manager);
    UVA_ADD_TESTS(tcase, barrier_filling_one_task);
    KIND_ADD_TESTS(
        tcase, barrier_filling_one_task_twice, barrier_filling_task_by_task,
        barrier_filling_tasks_wait_twice, barrier_draining_state,
        barrier_blocking_tasks_while_draining, barrier_filling_tasks_cancel_one,
        barrier_cancelled_on_the_way_in, barrier_places,
        barrier_places_after_a_cancellation);

    tcase = UVA_TCASE(suite, "Reset");
    KIND_ADD_TABLE(tcase, barrier_half_draining_half_blocking, half);
    KIND_ADD_TESTS(tcase, barrier_reset_barrier,
                   barrier_reset_barrier_while_tasks_waiting,
                   barrier_reset_barrier_when_tasks_half_draining,
                   barrier_reset_barrier_while_tasks_waiting_and_waiting_again,
                   barrier_reset_barrier_while_tasks_draining);

    tcase = UVA_TCASE(suite, "Abort");
    KIND_ADD_TESTS(tcase, barrier_abort_barrier,
                   barrier_abort_barrier_when_exception);
    return uva_test_main(suite);
}
