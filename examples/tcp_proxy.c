/*
 * A proxy in front of several servers that do the same:
 *
 *     tcp_proxy [--port N] HOST:PORT...
 *
 * The backends take turns; one that refuses, or does not answer within two
 * seconds, is passed over. Each direction of a connection ends by itself: a
 * client that has sent all it wants still gets the whole answer.
 */
#include <stdio.h>
#include <string.h>

#include <uva.h>

typedef struct backend_s {
    const char *host;
    const char *port;
} backend_t;

enum {
    BACKENDS_MAX = 16
};

static backend_t backends[BACKENDS_MAX];
static size_t backend_count;
static size_t next_turn;

/* Carry bytes one way, and their end. */
UVA_TASK(void, pump, uva_reader_t *from; uva_writer_t * to;)
{
    uva_bytes_t bytes; /* They lie in the reader until it reads again. */
    int r;

    while ((r = uva_reader_read_view(args->from, UVA_NO_LIMIT, &bytes)) > 0) {
        r = uva_writer_send(args->to, bytes.data, bytes.size);
        if (r < 0) {
            return r;
        }
    }
    return r < 0 ? r : uva_writer_write_eof(args->to);
}

/* Carry bytes both ways, until both have ended or one has failed. */
static int relay(uva_reader_t *reader,
                 uva_writer_t *writer,
                 uva_reader_t *far_reader,
                 uva_writer_t *far_writer)
{
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, pump, .from = reader, .to = far_writer);
    uva_taskgroup_spawn(&group, pump, .from = far_reader, .to = writer);
    int r = uva_taskgroup_exit(&group, 0);
    if (r < 0) { /* What has come of one half is not the whole. */
        uva_transport_abort(uva_writer_transport(writer));
        uva_transport_abort(uva_writer_transport(far_writer));
    }
    if (r == UVA_EGROUP) {
        r = uva_error_code(uva_error_member(uva_task_error(), 0));
    }
    return uva_is_disconnect(r) ? 0 : r;
}

/* Connect to the backend whose turn it is, or to the next that can be had. */
static int connect_backend(uva_reader_t **ret_reader, uva_writer_t **ret_writer)
{
    int r = UV_ECONNREFUSED;

    for (size_t i = 0; i < backend_count; i++) {
        const backend_t *backend = &backends[next_turn++ % backend_count];
        UVA_TIMEOUT (r, UVA_SEC(2)) {
            r = uva_open_connection(backend->host, backend->port, NULL,
                                    ret_reader, ret_writer);
        }
        if (r >= 0 || r == UV_ECANCELED) {
            break;
        }
    }
    return r;
}

UVA_TASK(void, proxy, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_reader_t *far_reader;
    uva_writer_t *far_writer;

    int r = connect_backend(&far_reader, &far_writer);
    if (r < 0) {
        uva_transport_abort(uva_writer_transport(args->writer));
        return r;
    }
    r = relay(args->reader, args->writer, far_reader, far_writer);
    uva_connection_close(far_reader, far_writer);
    return r;
}

UVA_TASK(void, serve, const char *port;)
{
    uva_server_t *server;

    int r = uva_start_server(proxy, "127.0.0.1", args->port, NULL, &server);
    if (r < 0) {
        return r;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)uva_server_port(server));
    fflush(stdout);
    r = uva_sleep(UVA_FOREVER); /* Until Ctrl-C cancels this task. */
    uva_server_close(server);
    uva_server_abort_clients(server); /* uva_main ends their tasks. */
    uva_server_unref(server);
    return r == UV_ECANCELED ? 0 : r;
}

int main(int argc, char **argv)
{
    bool has_port = argc > 2 && strcmp(argv[1], "--port") == 0;

    for (int i = has_port ? 3 : 1; i < argc; i++) {
        char *colon = strrchr(argv[i], ':'); /* An IPv6 address has more. */
        if (colon == NULL || backend_count == BACKENDS_MAX) {
            backend_count = 0;
            break;
        }
        *colon = 0;
        backends[backend_count].host = argv[i];
        backends[backend_count++].port = colon + 1;
    }
    if (backend_count == 0) {
        fprintf(stderr, "usage: %s [--port N] HOST:PORT...\n", argv[0]);
        return 2;
    }
    return uva_main(serve, .port = has_port ? argv[2] : "0");
}
