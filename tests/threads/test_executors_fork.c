/*
 * Executors and promises in the child of a fork: refused, and nothing waits for
 * a thread that is not there.
 */
#include "loops.h"

#include <sys/wait.h>
#include <unistd.h>

#include "uva/threads.h"

#include "stack/switch.h"

static int forked_promise(void *arg, void **ret_result)
{
    uva_promise_t *promise = uva_promise_new();
    int *wrong = arg;
    pid_t pid = fork();
    int status = 0;

    (void)ret_result;
    if (pid == 0) {
        _exit(uva_promise_set_result(promise, NULL, NULL) == UVA_EFORKED ? 0
                                                                         : 3);
    }
    *wrong = waitpid(pid, &status, 0) != pid || status != 0;
    uva_promise_unref(promise);
    return uva_sleep(0);
}

START_TEST(promise_in_a_child)
{
    int wrong = 1;

    ck_assert_int_eq(uva_run(forked_promise, &wrong, NULL, NULL), 0);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(executor_in_a_child)
{
    /* What the parent's threads have stays in the child's memory; Valgrind
     * looks for it there. */
    static uva_executor_t *kept;
    uva_executor_t *worker;
    uva_job_t *job;
    int status = 0;
    pid_t pid;

    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    job = uva_executor_submit(worker, nothing, NULL, NULL);
    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), 0);
    uva_job_unref(job);
    kept = uva_executor_ref(worker);
    pid = fork();
    if (pid == 0) {
        job = uva_executor_submit(worker, nothing, NULL, NULL);
        if (uva_job_result(job, UVA_FOREVER, NULL) != UVA_EFORKED ||
            uva_executor_shutdown(worker, true, false) != UVA_EFORKED) {
            _exit(3);
        }
        uva_job_unref(job);
        uva_executor_unref(worker);
#if defined(UVA__TSAN) /* It lets no child start a thread. */
        _exit(0);
#endif
        /* One of its own works. */
        if (uva_worker_new(NULL, &worker) < 0) {
            _exit(4);
        }
        job = uva_executor_submit(worker, nothing, NULL, NULL);
        status = uva_job_result(job, UVA_FOREVER, NULL) == 0 ? 0 : 5;
        uva_job_unref(job);
        (void)uva_executor_shutdown(worker, true, false);
        uva_executor_unref(worker);
        _exit(status);
    }
    kept = uva_executor_unref(kept);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(uva_executor_shutdown(worker, true, false), 0);
    uva_executor_unref(worker);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executors_fork");
    TCase *tcase = UVA_TCASE(suite, "fork");

    UVA_ADD_TESTS(tcase, promise_in_a_child, executor_in_a_child);
    return uva_test_main(suite);
}
