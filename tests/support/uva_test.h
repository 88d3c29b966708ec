/*
 * What all tests share: a body run as the main task of a fresh virtual loop,
 * the proof that nothing is left behind, failing allocations, the log.
 *
 *     UVA_TEST(lock_acquire)
 *     {
 *         (CPython's test, if it is one of theirs, as the first comment)
 *         ... await, ck_assert ...
 *     }
 *
 *     int main(void)
 *     {
 *         Suite *suite = suite_create("locks");
 *         TCase *lock = UVA_TCASE(suite, "Lock");
 *
 *         UVA_ADD_TESTS(lock, lock_acquire);
 *         return uva_test_main(suite);
 *     }
 */
#ifndef UVA_TEST_H
#define UVA_TEST_H

#include <check.h>

#include "uva.h"
#include "uva/testing.h"

/** Make a case of a suite; the name a literal, CMake reads it. */
#define UVA_TCASE(suite, name) uva_test_case(suite, tcase_create(name))
TCase *uva_test_case(Suite *suite, TCase *tcase);

/** A case whose tests cannot hold where connections stand on libuv's handles
 * (docs/architecture.md lists these cases). A build with -DUVA_IO=uv prints
 * that it skips the case, and why; CTest counts it as skipped. */
#define UVA_SOCKET_TCASE(suite, name, reason) \
    uva_test_socket_case(suite, name, reason)
TCase *uva_test_socket_case(Suite *suite, const char *name, const char *reason);

/** Add tests to a case: UVA_ADD_TESTS(tcase, one, another). */
#define UVA_ADD_TESTS(tcase, ...) UVA__ADD_TESTS(tcase, 1, __VA_ARGS__)
#define UVA__ADD_TESTS(tcase, runs, ...)                      \
    uva_test_add(tcase, runs, (const TTest *[]){__VA_ARGS__}, \
                 sizeof((const TTest *[]){__VA_ARGS__}) / sizeof(TTest *))
void uva_test_add(TCase *tcase,
                  int runs,
                  const TTest *const *tests,
                  size_t count);

/**
 * Add a test once for each row of a table: UVA_ADD_TABLE(tcase, test, rows).
 * The first member of a row is its name, under which a failure is told; the
 * body finds its row with UVA_ROW(rows).
 */
#define UVA_ADD_TABLE(tcase, test, rows) UVA__ADD_TABLE(tcase, 1, test, rows)
#define UVA__ADD_TABLE(tcase, runs, test, rows)                            \
    do {                                                                   \
        static TTest uva_test_named[sizeof(rows) / sizeof *(rows)];        \
        uva_test_add_rows(tcase, runs, test, rows, sizeof *(rows),         \
                          uva_test_named,                                  \
                          sizeof uva_test_named / sizeof *uva_test_named); \
    } while (0)
void uva_test_add_rows(TCase *tcase,
                       int runs,
                       const TTest *test,
                       const void *rows,
                       size_t row_size,
                       TTest *named,
                       size_t count);
#define UVA_ROW(rows) (&(rows)[uva_test_row])
/** Set by UVA_TEST, KIND_TEST and KIND_LOOP_TEST; in a START_TEST, UVA_ROW
 * follows UVA_FIND_ROW(). */
extern int uva_test_row;
#define UVA_FIND_ROW() (uva_test_row = _i / 2)

/** Run a suite; what CK_RUN_CASE names if it is set, in processes of their own
 * unless CK_FORK=no. @return The exit status: 1 too if nothing was run, 77 if
 * that is because it is skipped. */
int uva_test_main(Suite *suite);

/**
 * Run body(arg) as the main task of a fresh virtual loop, close the loop, and
 * fail the test if a byte or a descriptor is left or a task was not finished.
 *
 * @return What the body returned.
 */
int uva_test_run(uva_coro_cb body, void *arg);

/** The same on a loop that allocates every object by itself: for bodies with
 * UVA_OOM_TEST. */
int uva_test_run_strict(uva_coro_cb body, void *arg);

/**
 * Define a test that is the body of a main task; loop_test is Check's _i of a
 * loop test, else 0. Nothing may be left when it returns.
 */
#define UVA_TEST(name)        UVA_TEST_ON(name, uva_test_run)
#define UVA_TEST_STRICT(name) UVA_TEST_ON(name, uva_test_run_strict)
#define UVA_TEST_ON(name, run)                                      \
    static void name##_test(int loop_test);                         \
    static int name##_main(void *arg, UVA_UNUSED void **ret_result) \
    {                                                               \
        name##_test(*(const int *)arg);                             \
        return 0;                                                   \
    }                                                               \
    START_TEST(name)                                                \
    {                                                               \
        UVA_FIND_ROW();                                             \
        kind_stackful = _i % 2 == 0;                                \
        ck_assert_int_eq(run(name##_main, &_i), 0);                 \
    }                                                               \
    END_TEST                                                        \
    static void name##_test(UVA_UNUSED int loop_test)

/** What happened, in order, as words with a blank between them: compare its
 * text. Zero-initialise. */
typedef struct uva_test_trace_s {
    char text[1024];
    size_t size;
} uva_test_trace_t;
void uva_test_trace(uva_test_trace_t *trace, const char *format, ...)
    UVA_PRINTF(2, 3);

/** Whether KIND_SPAWN (kinds.h) makes stackful tasks. UVA_TEST, KIND_TEST and
 * KIND_LOOP_TEST set it, in a loop test to true for even numbers; a test may
 * change it. */
extern bool kind_stackful;
/** Options of a task for a loop that need not run; NULL is the running one. */
#define ON_LOOP(on) \
    (&(uva_task_options_t){.size = sizeof(uva_task_options_t), .loop = (on)})

/** Let everything that is ready run once. */
#define UVA_TICK() ck_assert_int_eq(uva_sleep(0), 0)
/** Of tasks of any type. */
#define UVA_DONE(task)      uva_future_done(UVA_FUTURE(task))
#define UVA_CANCELLED(task) uva_future_cancelled(UVA_FUTURE(task))
/** Await a task, drop its result and its reference. */
#define UVA_JOIN(task) uva_join(UVA_FUTURE(task), NULL)
/** For uva_loop_call_soon: cancel the task that data is. */
void uva_test_cancel(void *data);

/** A checked fixture for tests that drive a loop by hand: a fresh virtual loop
 * in uva_test_loop, closed afterwards with the same proof. */
extern uva_loop_t *uva_test_loop;
void uva_test_loop_setup(void);
void uva_test_loop_teardown(void);

/** A loop on virtual time, one on real time, and the end of either. */
uva_loop_t *new_loop(void);
uva_loop_t *new_real_loop(void);
void end_loop(uva_loop_t *take_loop);

/** What there is now, and the failure of the test if there is more later. */
typedef struct uva_test_mark_s {
    size_t bytes;
    size_t descriptor_count;
} uva_test_mark_t;
uva_test_mark_t uva_test_mark(void);
void uva_test_nothing_left(uva_test_mark_t mark);

/** Write over what frames left behind below the caller's. */
void uva_test_clobber(void);

/** How many descriptors the process has open. */
size_t uva_test_descriptors(void);
/** How many of them are sockets: the loop opens a descriptor of its own when a
 * near deadline first makes it wait. */
size_t uva_test_sockets(void);

/**
 * Fail allocation 1, 2, 3, ... of expression until it succeeds. Each failure
 * must be UV_ENOMEM and give back what it had allocated.
 */
#define UVA_OOM_TEST(expression)                                          \
    do {                                                                  \
        int uva_test_r = UV_ENOMEM;                                       \
        for (uint64_t n = 1; uva_test_r == UV_ENOMEM; n++) {              \
            size_t uva_test_bytes = uva_allocated_bytes();                \
            uva_testing_fail_allocation(n, false);                        \
            uva_test_r = (expression);                                    \
            uva_testing_fail_allocation(0, false);                        \
            if (uva_test_r < 0) {                                         \
                ck_assert_int_eq(uva_test_r, UV_ENOMEM);                  \
                ck_assert_uint_eq(uva_allocated_bytes(), uva_test_bytes); \
            }                                                             \
        }                                                                 \
    } while (0)

/** Whether the test runs under Valgrind, which reports a look at bytes that
 * were never set, and keeps limits on descriptors from other programs. */
bool uva_test_on_valgrind(void);

/** Collect the log instead of printing it, beginning with nothing. */
void uva_test_log_begin(void);
/** What was logged since then, a line for each record. Not while another thread
 * logs. */
const char *uva_test_log(void);
/** Print it again. */
void uva_test_log_end(void);

#endif /* UVA_TEST_H */
