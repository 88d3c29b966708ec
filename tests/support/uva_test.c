/*
 * What all tests share. One invariant: a test that passes has given back every
 * byte and descriptor it took.
 */
#include "uva_test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uva/alloc.h"
#include "uva/version.h"

#include "base/util.h"
#include "stack/switch.h"

uva_loop_t *uva_test_loop;
bool kind_stackful = true;
int uva_test_row;

static uva_test_mark_t fixture_mark;
static char log_text[8192];
static size_t log_size;
static bool cases_skipped;
static uv_mutex_t log_mutex; /* The hook is called in any thread. */
static uv_once_t log_once = UV_ONCE_INIT;

TCase *uva_test_case(Suite *suite, TCase *tcase)
{
    suite_add_tcase(suite, tcase);
    return tcase;
}

TCase *uva_test_socket_case(Suite *suite, const char *name, const char *reason)
{
#if defined(UVA_TEST_IO_UV)
    (void)suite;
    printf("SKIP: %s with UVA_IO=uv: %s\n", name, reason);
    cases_skipped = true;
    return NULL;
#else
    (void)reason;
    return uva_test_case(suite, tcase_create(name));
#endif
}

void uva_test_add(TCase *tcase,
                  int runs,
                  const TTest *const *tests,
                  size_t count)
{
    for (size_t i = 0; tcase != NULL && i < count; i++) {
        tcase_add_loop_test(tcase, tests[i], 0, runs);
    }
}

/* Check names a test by its record: each row gets one of its own, with the
 * function of the one test. */
void uva_test_add_rows(TCase *tcase,
                       int runs,
                       const TTest *test,
                       const void *rows,
                       size_t row_size,
                       TTest *named,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int first = 2 * (int)i;

        named[i] = *test;
        memcpy(&named[i].name, (const char *)rows + i * row_size,
               sizeof named[i].name);
        tcase_add_loop_test(tcase, &named[i], first, first + runs);
    }
}

int uva_test_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;
    int run;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    run = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed > 0 ? 1 : run > 0 ? 0 : cases_skipped ? 77 : 1;
}

/* ASan would put zones around the bytes that nobody writes to. */
UVA__NO_ASAN UVA__NOINLINE void uva_test_clobber(void)
{
    volatile char bytes[4096];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)0x5a;
    }
}

size_t uva_test_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 4096; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

size_t uva_test_sockets(void)
{
    size_t count = 0;
    struct stat about;

    for (int fd = 0; fd < 4096; fd++) {
        count += fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
    }
    return count;
}

uva_test_mark_t uva_test_mark(void)
{
    uva_test_mark_t mark = {uva_allocated_bytes(), uva_test_descriptors()};

    return mark;
}

void uva_test_nothing_left(uva_test_mark_t mark)
{
    uva_test_mark_t now = uva_test_mark();

    ck_assert_uint_eq(now.bytes, mark.bytes);
    ck_assert_uint_eq(now.descriptor_count, mark.descriptor_count);
}

int uva_test_run(uva_coro_cb body, void *arg)
{
    uva_test_mark_t mark = uva_test_mark();
    uva_loop_t *loop;
    uva_task_t *task;
    int r;

    ck_assert_int_eq(uva_loop_new_virtual(NULL, &loop), 0);
    task = uva_loop_create_task(loop, body, arg, NULL);
    r = uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL);
    uva_task_unref(task);
    ck_assert_msg(uva_loop_run_until_idle(loop) >= 0, "the loop is stuck");
    ck_assert_int_eq(uva_loop_close(loop), 0);
    uva_loop_unref(loop);
    uva_test_nothing_left(mark);
    return r;
}

int uva_test_run_strict(uva_coro_cb body, void *arg)
{
    int r;

    uva_testing_strict_allocation(true);
    r = uva_test_run(body, arg);
    uva_testing_strict_allocation(false);
    return r;
}

void uva_test_cancel(void *data)
{
    uva_task_cancel(data);
}

void uva_test_loop_setup(void)
{
    fixture_mark = uva_test_mark();
    uva_test_loop = new_loop();
}

void uva_test_loop_teardown(void)
{
    end_loop(uva_test_loop);
    uva_test_loop = NULL;
    uva_test_nothing_left(fixture_mark);
}

uva_loop_t *new_loop(void)
{
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new_virtual(NULL, &loop), 0);
    return loop;
}

uva_loop_t *new_real_loop(void)
{
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    return loop;
}

void end_loop(uva_loop_t *take_loop)
{
    ck_assert_int_eq(uva_loop_close(take_loop), 0);
    uva_loop_unref(take_loop);
}

void uva_test_trace(uva_test_trace_t *trace, const char *format, ...)
{
    size_t room;
    int written;
    va_list list;

    if (trace->size > 0) {
        trace->text[trace->size++] = ' ';
    }
    room = sizeof trace->text - trace->size;
    va_start(list, format);
    written = vsnprintf(trace->text + trace->size, room, format, list);
    va_end(list);
    ck_assert_msg(written >= 0 && (size_t)written + 1 < room, "trace is full");
    trace->size += (size_t)written;
}

bool uva_test_on_valgrind(void)
{
    return strcmp(uva_features()->tools, "valgrind") == 0;
}

static void log_start(void)
{
    ck_assert_int_eq(uv_mutex_init(&log_mutex), 0);
}

static void log_collect(uva_log_level_t level, const char *text, void *data)
{
    int written;

    (void)level;
    (void)data;
    uv_mutex_lock(&log_mutex);
    written =
        snprintf(log_text + log_size, sizeof log_text - log_size, "%s\n", text);
    if (written > 0) {
        log_size += (size_t)written;
    }
    if (log_size >= sizeof log_text) {
        log_size = sizeof log_text - 1;
    }
    uv_mutex_unlock(&log_mutex);
}

static void log_print(uva_log_level_t level, const char *text, void *data)
{
    (void)data;
    if (level >= UVA_LOG_WARNING) {
        fprintf(stderr, "%s\n", text);
    }
}

void uva_test_log_begin(void)
{
    uv_once(&log_once, log_start);
    uv_mutex_lock(&log_mutex);
    log_size = 0;
    log_text[0] = '\0';
    uv_mutex_unlock(&log_mutex);
    uva_set_log(log_collect, NULL);
}

const char *uva_test_log(void)
{
    return log_text;
}

void uva_test_log_end(void)
{
    uva_set_log(log_print, NULL);
}
