/*
 * Servers of streams, their clients, and paths for them, as several tests have
 * them.
 */
#ifndef TEST_SERVING_H
#define TEST_SERVING_H

#include "net.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/** Start a server on a free port of 127.0.0.1; options may be NULL. */
static inline uva_server_t *start(uva_client_connected_cb handler,
                                  void *arg,
                                  const uva_server_options_t *options)
{
    uva_server_t *server;

    ck_assert_int_eq(uva_start_server_callback(handler, arg, "127.0.0.1", "0",
                                               options, &server),
                     0);
    return server;
}

/** Close a server, wait for its end, and drop it. */
static inline void stop(uva_server_t *take_server)
{
    uva_server_close(take_server);
    ck_assert_int_eq(uva_server_wait_closed(take_server), 0);
    ck_assert_ptr_null(uva_server_unref(take_server));
}

/** Connect to a server on 127.0.0.1. */
static inline void dial(const uva_server_t *server,
                        uva_reader_t **ret_reader,
                        uva_writer_t **ret_writer)
{
    ck_assert_int_eq(uva_open_connection("127.0.0.1",
                                         uva_test_port(uva_server_port(server)),
                                         NULL, ret_reader, ret_writer),
                     0);
}

/** Close a connection and drop both ends of its stream. */
static inline void hang_up(uva_reader_t *take_reader, uva_writer_t *take_writer)
{
    uva_writer_close(take_writer);
    ck_assert_int_eq(uva_writer_wait_closed(take_writer), 0);
    uva_reader_unref(take_reader);
    uva_writer_unref(take_writer);
}

/** A directory of the test's own, and the path of a socket in it. */
typedef struct place_s {
    char folder[32];
    char path[48];
} place_t;

static inline void place_make(place_t *place)
{
    (void)snprintf(place->folder, sizeof place->folder, "/tmp/uva-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof place->path, "%s/socket", place->folder);
}

/** Remove the directory, in which nothing may be left. */
static inline void place_end(const place_t *place)
{
    ck_assert_int_eq(rmdir(place->folder), 0);
}

static inline bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/** Run a body on a loop with sockets in a child process: it changes limits or
 * signals of its process. */
static inline void ck_child_passes(uva_coro_cb body)
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(uva_test_run_net(body, NULL) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

#endif /* TEST_SERVING_H */
