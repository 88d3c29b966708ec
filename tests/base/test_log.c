/*
 * The hooks of a process: the log, its default and its silence, and the
 * allocator. What is process-wide is tried in a process of its own.
 */
#include "child.h"
#include "loops.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* --- the log hook --- */

/* Fails, and nobody looks. */
static void leave_failure(void)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);

    (void)uva_future_set_exception(future, UV_EIO, "the disk is gone");
    uva_future_unref(future);
    end_loop(loop);
}

typedef struct record_s {
    int count;
    uva_log_level_t level;
    char text[256];
} record_t;

static void keep_record(uva_log_level_t level, const char *text, void *data)
{
    record_t *record = data;

    record->count++;
    record->level = level;
    strncpy(record->text, text, sizeof record->text - 1);
}

START_TEST(hook_gets_each_record)
{
    record_t record = {0, UVA_LOG_DEBUG, ""};

    uva_set_log(keep_record, &record);
    leave_failure();
    ck_assert_int_eq(record.count, 1);
    ck_assert_int_eq(record.level, UVA_LOG_ERROR);
    ck_assert_ptr_nonnull(strstr(record.text, "never retrieved"));
    ck_assert_ptr_nonnull(strstr(record.text, "the disk is gone"));
    ck_assert_ptr_nonnull(strstr(record.text, "EIO"));
    ck_assert_ptr_null(strchr(record.text, '\n'));
}
END_TEST

START_TEST(report_without_a_message)
{
    uva_loop_t *loop = new_loop();
    uva_exception_t exception = {.size = sizeof exception, .code = UV_EIO};

    uva_test_log_begin();
    uva_loop_call_exception_handler(loop, &exception);
    ck_assert(logged("Unhandled exception in event loop"));
    ck_assert(logged("EIO"));
    ck_assert(!logged("null"));
    end_loop(loop);
}
END_TEST

/* A text that is too long is cut, not dropped. */
static void check_cut(uva_log_level_t level, const char *text, void *data)
{
    (void)level;
    *(size_t *)data = strlen(text);
}

START_TEST(long_records_are_cut)
{
    char text[5000];
    size_t size = 0;
    uva_loop_t *loop = new_loop();
    uva_exception_t exception = {.size = sizeof exception, .message = text};

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    uva_set_log(check_cut, &size);
    uva_loop_call_exception_handler(loop, &exception);
    ck_assert_uint_ge(size, 500);
    ck_assert_uint_lt(size, sizeof text);
    end_loop(loop);
}
END_TEST

static void log_in_thread(void *data)
{
    (void)data;
    for (int i = 0; i < 50; i++) {
        leave_failure();
    }
}

static void count_record(uva_log_level_t level, const char *text, void *data)
{
    (void)level;
    (void)text;
    atomic_fetch_add((atomic_int *)data, 1);
}

START_TEST(hook_of_several_threads)
{
    atomic_int count = 0;
    uv_thread_t threads[4];

    uva_set_log(count_record, &count);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(uv_thread_create(&threads[i], log_in_thread, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        uv_thread_join(&threads[i]);
    }
    ck_assert_int_eq(atomic_load(&count), 200);
}
END_TEST

static int with_the_default(void *arg)
{
    (void)arg;
    leave_failure();
    return 0;
}

static int silenced(void *arg)
{
    (void)arg;
    uva_set_log(NULL, NULL);
    leave_failure();
    return 0;
}

/* Without a hook failures go to standard error, and nothing else does. */
START_TEST(default_writes_to_standard_error)
{
    child_t child;

    child_run(&child, with_the_default, NULL);
    ck_assert(child_exited(&child, 0));
    ck_assert_ptr_nonnull(strstr(child.text, "never retrieved"));
    ck_assert_ptr_nonnull(strstr(child.text, "the disk is gone"));
    ck_assert_ptr_eq(strchr(child.text, '\n'),
                     child.text + strlen(child.text) - 1);
}
END_TEST

START_TEST(null_silences_it)
{
    child_t child;

    child_run(&child, silenced, NULL);
    ck_assert(child_exited(&child, 0));
    ck_assert_str_eq(child.text, "");
}
END_TEST

static int quiet_run(void *arg)
{
    uint64_t delay_ns = UVA_MS(1);

    (void)arg;
    return uva_run(sleep_for, &delay_ns, NULL, NULL) == 0 ? 0 : 1;
}

START_TEST(good_run_says_nothing)
{
    child_t child;

    child_run(&child, quiet_run, NULL);
    ck_assert(child_exited(&child, 0));
    ck_assert_str_eq(child.text, "");
}
END_TEST

/* --- the allocator hook --- */

static atomic_int calls[4];
static atomic_int live;

static void *count_malloc(size_t size)
{
    atomic_fetch_add(&calls[0], 1);
    atomic_fetch_add(&live, 1);
    return malloc(size);
}

static void *count_realloc(void *pointer, size_t size)
{
    atomic_fetch_add(&calls[1], 1);
    atomic_fetch_add(&live, pointer == NULL);
    return realloc(pointer, size);
}

static void *count_calloc(size_t count, size_t size)
{
    atomic_fetch_add(&calls[2], 1);
    atomic_fetch_add(&live, 1);
    return calloc(count, size);
}

static void count_free(void *pointer)
{
    atomic_fetch_add(&calls[3], pointer != NULL);
    atomic_fetch_sub(&live, pointer != NULL);
    free(pointer);
}

static const uva_allocator_t counting = {sizeof(uva_allocator_t), count_malloc,
                                         count_realloc, count_calloc,
                                         count_free};

static int run_counted(unsigned flags)
{
    uint64_t delay_ns = UVA_MS(1);

    if (uva_set_allocator(&counting, flags) != 0) {
        return 1;
    }
    if (uva_run(sleep_for, &delay_ns, NULL, NULL) != 0) {
        return 2;
    }
    if (calls[0] + calls[1] + calls[2] == 0 || calls[3] == 0) {
        return 3;
    }
    if (uva_allocated_bytes() != 0) {
        return 4;
    }
    /* libuv keeps what it has for the process. */
    if (flags == 0 && live != 0) {
        return 5;
    }
    /* It is too late for another. */
    return uva_set_allocator(&counting, flags) == UV_EBUSY ? 0 : 6;
}

static int for_uva(void *arg)
{
    (void)arg;
    return run_counted(0);
}

static int for_libuv_too(void *arg)
{
    uv_loop_t loop;
    int before;

    (void)arg;
    if (run_counted(UVA_ALLOCATOR_LIBUV) != 0) {
        return 1;
    }
    before = calls[0] + calls[2];
    if (uv_loop_init(&loop) != 0 || uv_loop_close(&loop) != 0) {
        return 2;
    }
    return calls[0] + calls[2] > before ? 0 : 3;
}

static int refused(void *arg)
{
    uva_allocator_t missing = counting;

    (void)arg;
    missing.realloc = NULL;
    if (uva_set_allocator(NULL, 0) != UV_EINVAL ||
        uva_set_allocator(&missing, 0) != UV_EINVAL ||
        uva_set_allocator(&counting, 1u << 7) != UV_EINVAL) {
        return 1;
    }
    /* Nothing was changed. */
    leave_failure();
    return calls[0] + calls[1] + calls[2] == 0 ? 0 : 2;
}

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void *no_realloc(void *pointer, size_t size)
{
    (void)pointer;
    (void)size;
    return NULL;
}

static void *no_calloc(size_t count, size_t size)
{
    (void)count;
    (void)size;
    return NULL;
}

/* One that gives nothing at all. */
static int without_memory(void *arg)
{
    const uva_allocator_t nothing_there = {sizeof nothing_there, no_malloc,
                                           no_realloc, no_calloc, count_free};
    uva_loop_t *loop;

    (void)arg;
    if (uva_set_allocator(&nothing_there, 0) != 0) {
        return 1;
    }
    return uva_loop_new(NULL, &loop) == UV_ENOMEM &&
                   uva_run(nothing, NULL, NULL, NULL) == UV_ENOMEM
               ? 0
               : 2;
}

START_TEST(allocator_hook)
{
    int (*const children[])(void *) = {for_uva, for_libuv_too, refused,
                                       without_memory};
    child_t child;

    child_run(&child, children[_i], NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

/* --- what others make write --- */

START_TEST(records_of_one_place_are_bounded)
{
    uva__log_limit_t limit = {0};
    unsigned lost = 7;

    for (unsigned second = 1; second < 4; second++) {
        for (unsigned i = 0; i < UVA__LOG_LIMIT; i++) {
            ck_assert(uva__log_admits(&limit, UVA_SEC(second) + i, &lost));
            ck_assert_uint_eq(lost, i == 0 ? 3 * (second - 1) % 6 : 0);
        }
        for (unsigned i = 0; i < 3 && second != 2; i++) {
            ck_assert(!uva__log_admits(&limit, UVA_SEC(second) + 99, &lost));
        }
    }
}
END_TEST

START_TEST(record_after_a_gap_counts_what_was_lost)
{
    uva__log_limit_t limit = {0};

    uva_test_log_begin();
    limit.dropped = 3;
    uva__log_limited(&limit, UVA_LOG_WARNING, "number %d", 4);
    ck_assert_str_eq(uva_test_log(),
                     "number 4 (and 3 before that were not written)\n");
    uva_test_log_end();
}
END_TEST

/* --- a program without descriptors 0 to 2 --- */

static const char *program;

static int echo_once(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    char byte;

    (void)arg;
    if (uva_reader_read(reader, &byte, 1) == 1) {
        UVA_IGNORE(uva_writer_write(writer, &byte, 1));
    }
    return UVA_EUSER; /* Reported to the log. */
}

static int talk(UVA_UNUSED void *arg, UVA_UNUSED void **ret_result)
{
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
    char port[8];
    char bytes[8];
    int r;

    r = uva_start_server_callback(echo_once, NULL, "127.0.0.1", "0", NULL,
                                  &server);
    if (r < 0) {
        return r;
    }
    (void)snprintf(port, sizeof port, "%u", (unsigned)uva_server_port(server));
    r = uva_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (r >= 0) {
        UVA_IGNORE(uva_writer_write(writer, "x", 1));
        r = uva_reader_read(reader, bytes, sizeof bytes);
        r = r != 1                                                    ? UV_EIO
            : uva_transport_fileno(uva_writer_transport(writer)) <= 2 ? UV_EBADF
            : uva_reader_read(reader, bytes, sizeof bytes) != 0 ? UV_EMSGSIZE
                                                                : 0;
        (void)uva_connection_close(reader, writer);
    }
    uva_server_close(server);
    uva_server_unref(server);
    return r;
}

/* The log has nowhere to go: not into what lies in the place of standard error
 * by now, and a loop takes none of the three places. */
static int bare_program(void)
{
    uva_exception_t exception = {.size = sizeof exception, .message = "lost"};
    uva_loop_t *loop;
    int ends[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0 ||
        ends[0] != 0 || ends[1] != 1 || dup(ends[1]) != 2) {
        return 2;
    }
    if (uva_loop_new(NULL, &loop) < 0) {
        return 6;
    }
    uva_loop_call_exception_handler(loop, &exception);
    if (uva_loop_close(loop) < 0) {
        return 7;
    }
    uva_loop_unref(loop);
    if (recv(ends[0], &byte, 1, 0) >= 0) {
        return 3;
    }
    for (int fd = 0; fd < 3; fd++) {
        close(fd);
    }
    return uva_run(talk, NULL, NULL, NULL) == 0 ? 0 : 4;
}

START_TEST(started_without_descriptors)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        for (int fd = 0; fd < 3; fd++) {
            close(fd);
        }
        execl(program, program, "bare", (char *)NULL);
        _exit(5);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

static int run_tests(void)
{
    Suite *suite = suite_create("log");
    /* First, where one process runs all: nothing was allocated in it yet, and
     * nobody has set the log. */
    TCase *allocator = UVA_TCASE(suite, "Allocator");
    TCase *log = UVA_LOOPS_TCASE(suite, "Log");

    tcase_add_loop_test(allocator, allocator_hook, 0, 4);
    tcase_add_test(log, default_writes_to_standard_error);
    tcase_add_test(log, good_run_says_nothing);
    tcase_add_test(log, null_silences_it);
    tcase_add_test(log, hook_gets_each_record);
    tcase_add_test(log, report_without_a_message);
    tcase_add_test(log, long_records_are_cut);
    tcase_add_test(log, hook_of_several_threads);
    tcase_add_test(log, records_of_one_place_are_bounded);
    tcase_add_test(log, record_after_a_gap_counts_what_was_lost);
    tcase_add_test(log, started_without_descriptors);
    return uva_test_main(suite);
}

int main(int argc, char **argv)
{
    program = argv[0];
    return argc > 1 && strcmp(argv[1], "bare") == 0 ? bare_program()
                                                    : run_tests();
}
