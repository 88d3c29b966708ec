/*
 * Servers over loops in threads.
 */
#include <stdatomic.h>
#include <sys/socket.h>

#include "serving.h"

#define CLIENTS 300

static atomic_int served[3];

static uva_loops_t *start_loops(unsigned count)
{
    uva_loops_options_t options = UVA_LOOPS_OPTIONS_INIT;
    uva_loops_t *loops;

    options.count = count;
    ck_assert_int_eq(uva_loops_start(&options, &loops), 0);
    return loops;
}

/* Answers each byte with itself until the peer closes. */
UVA_TASK(void, answer, uva_reader_t *reader; uva_writer_t * writer;
         uva_loops_t * loops;)
{
    uint8_t byte;
    int r;

    for (unsigned i = 0; i < uva_loops_count(args->loops); i++) {
        if (uva_loops_get(args->loops, i) == uva_get_running_loop()) {
            atomic_fetch_add(&served[i], 1);
        }
    }
    for (;;) {
        r = uva_reader_readexactly(args->reader, &byte, 1, NULL);
        if (r < 0) {
            return r == UVA_EINCOMPLETEREAD ? 0 : r;
        }
        r = uva_writer_write(args->writer, &byte, 1);
        if (r < 0) {
            return r;
        }
    }
}

/* One question and its answer. */
static void ask(int fd, char byte)
{
    char got = 0;

    ck_assert_int_eq(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
    while (recv(fd, &got, 1, MSG_DONTWAIT) != 1) {
        ck_assert(errno == EAGAIN);
        uv_sleep(1);
    }
    ck_assert_int_eq(got, byte);
}

START_TEST(answers_on_all_loops)
{
    uva_loops_t *loops = start_loops(3);
    uva_loop_stats_t stats = UVA_LOOP_STATS_INIT;
    uint16_t port = 0;
    size_t connections = 0;
    int fds[CLIENTS];
    int total = 0;

    ck_assert_int_eq(uva_loops_start_server(loops, answer, "127.0.0.1", "0",
                                            NULL, &port, .loops = loops),
                     0);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = uva_test_dial(port);
        ask(fds[i], (char)i);
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(uva_loops_get_stats(loops, i, UVA_FOREVER, &stats), 0);
        connections += stats.connections;
        ck_assert_int_gt(atomic_load(&served[i]), 0);
        total += atomic_load(&served[i]);
    }
    ck_assert_uint_eq(connections, CLIENTS);
    ck_assert_int_eq(total, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    ck_assert_int_eq(uva_loops_stop(loops, UVA_SEC(5)), 0);
    uva_loops_unref(loops);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

/* A client that has a connection while the loops stop, and leaves in time. */
static void late_client(void *data)
{
    int fd = *(const int *)data;

    uv_sleep(50);
    ask(fd, 'x');
    close(fd);
}

START_TEST(connections_end_in_their_grace)
{
    uva_loops_t *loops = start_loops(2);
    uv_thread_t client;
    uint16_t port = 0;
    int fd;

    ck_assert_int_eq(uva_loops_start_server(loops, answer, "127.0.0.1", "0",
                                            NULL, &port, .loops = loops),
                     0);
    fd = uva_test_dial(port);
    ask(fd, 'a');
    ck_assert_int_eq(uv_thread_create(&client, late_client, &fd), 0);
    ck_assert_int_eq(uva_loops_stop(loops, UVA_SEC(20)), 0);
    ck_assert_int_eq(uv_thread_join(&client), 0);
    uva_loops_unref(loops);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

START_TEST(connections_are_aborted_after_it)
{
    uva_loops_t *loops = start_loops(2);
    uint16_t port = 0;
    char byte;
    int fd;

    ck_assert_int_eq(uva_loops_start_server(loops, answer, "127.0.0.1", "0",
                                            NULL, &port, .loops = loops),
                     0);
    fd = uva_test_dial(port);
    ask(fd, 'a');
    ck_assert_int_eq(uva_loops_stop(loops, UVA_MS(20)), 0);
    ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
    close(fd);
    uva_loops_unref(loops);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

static int start_inside(void *arg, void **ret_result)
{
    *ret_result = NULL;
    return uva_loops_start_server(arg, answer, "127.0.0.1", "0", NULL, NULL,
                                  .loops = arg);
}

START_TEST(refusals)
{
    uva_loops_t *loops = start_loops(2);
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uint16_t port;
    int fd = uva_test_listen(UVA_FAMILY_IPV4, 1, &(uint16_t){0});
    uva_job_t *job = uva_run_on_loops(loops, 0, start_inside, loops, NULL);

    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UVA_EDEADLOCK);
    uva_job_unref(job);
    options.fds = &fd;
    options.fd_count = 1;
    ck_assert_int_eq(uva_loops_start_server(loops, answer, NULL, NULL, &options,
                                            &port, .loops = loops),
                     UV_EINVAL);
    close(fd);
    options.size = 0;
    ck_assert_int_eq(uva_loops_start_server(loops, answer, "127.0.0.1", "0",
                                            &options, &port, .loops = loops),
                     UV_EINVAL);
    ck_assert_int_eq(uva_loops_start_server(NULL, answer, "127.0.0.1", "0",
                                            NULL, &port, .loops = NULL),
                     UV_EINVAL);
    ck_assert_int_lt(uva_loops_start_server(loops, answer, "127.0.0.1", "x",
                                            NULL, &port, .loops = loops),
                     0);
    ck_assert_int_eq(uva_loops_stop(loops, 0), 0);
    ck_assert_int_lt(uva_loops_start_server(loops, answer, "127.0.0.1", "0",
                                            NULL, &port, .loops = loops),
                     0);
    uva_loops_unref(loops);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

/* A server that does not start leaves nothing on the loops that had theirs. */
START_TEST(starts_or_leaves_nothing)
{
    int r = UV_ENOMEM;

    for (uint64_t n = 1; r < 0; n++) {
        uva_loops_t *loops = start_loops(2);
        uint16_t port = 0;

        uva_testing_fail_allocation(n, false);
        r = uva_loops_start_server(loops, answer, "127.0.0.1", "0", NULL, &port,
                                   .loops = loops);
        uva_testing_fail_allocation(0, false);
        ck_assert_msg(r == 0 || r == UV_ENOMEM || r == UV_ECANCELED, "%d", r);
        ck_assert_int_eq(uva_loops_stop(loops, UVA_SEC(5)), 0);
        uva_loops_unref(loops);
        ck_assert_uint_eq(uva_allocated_bytes(), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loops_server");
    TCase *tcase = UVA_TCASE(suite, "LoopsServer");

    UVA_ADD_TESTS(tcase, answers_on_all_loops, connections_end_in_their_grace,
                  connections_are_aborted_after_it, refusals,
                  starts_or_leaves_nothing);
    return uva_test_main(suite);
}
