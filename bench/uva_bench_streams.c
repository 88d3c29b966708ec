/*
 * Streams: an echo server and a crawl.
 */
#include "uva_bench.h"

/* --- echo --- */

enum {
    ECHO_BYTES = 65536
};

/* What comes is read into a buffer of the handler's own. */
UVA_TASK(int, echo, uva_reader_t *reader; uva_writer_t * writer;)
{
    char data[ECHO_BYTES];
    int r;

    (void)ret;
    while ((r = uva_reader_read(args->reader, data, sizeof data)) > 0) {
        r = uva_writer_write(args->writer, data, (size_t)r);
        if (r >= 0) {
            r = uva_writer_drain(args->writer);
        }
        if (r < 0) {
            break;
        }
    }
    return uva_is_disconnect(r) ? 0 : r;
}

/* Nothing is copied, and who waits holds no buffer. */
UVA_TASK(int, echo_view, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_bytes_t data;
    int r;

    (void)ret;
    while ((r = uva_reader_read_view(args->reader, ECHO_BYTES, &data)) > 0) {
        r = uva_writer_write(args->writer, data.data, data.size);
        if (r >= 0) {
            r = uva_writer_drain(args->writer);
        }
        if (r < 0) {
            break;
        }
    }
    return uva_is_disconnect(r) ? 0 : r;
}

UVA_STACKLESS(int, echo_s, uva_reader_t *reader; uva_writer_t * writer;
              char data[ECHO_BYTES];)
{
    int r;

    UVA_BEGIN
    for (;;) {
        UVA_AWAIT(r, uva_reader_read, self->reader, self->data,
                  sizeof self->data);
        if (r <= 0) {
            return uva_is_disconnect(r) ? 0 : r;
        }
        r = uva_writer_write(self->writer, self->data, (size_t)r);
        if (r < 0) {
            return r;
        }
        UVA_AWAIT(r, uva_writer_drain, self->writer);
        if (r < 0) {
            return uva_is_disconnect(r) ? 0 : r;
        }
    }
    UVA_END
    return 0;
}

UVA_STACKLESS(int, echo_view_s, uva_reader_t *reader; uva_writer_t * writer;
              uva_bytes_t data;)
{
    int r;

    UVA_BEGIN
    for (;;) {
        UVA_AWAIT(r, uva_reader_read_view, self->reader, ECHO_BYTES,
                  &self->data);
        if (r <= 0) {
            return uva_is_disconnect(r) ? 0 : r;
        }
        r = uva_writer_write(self->writer, self->data.data, self->data.size);
        if (r < 0) {
            return r;
        }
        UVA_AWAIT(r, uva_writer_drain, self->writer);
        if (r < 0) {
            return uva_is_disconnect(r) ? 0 : r;
        }
    }
    UVA_END
    return 0;
}

/* The same without a task: what comes is written inside the callback. */
typedef struct echoing_s {
    uva_protocol_t base;
} echoing_t;

static int echo_data_received(uva_protocol_t *protocol, uva_bytes_t data)
{
    return uva_transport_write(protocol->transport, data.data, data.size);
}

static void echo_pause_writing(uva_protocol_t *protocol)
{
    uva_transport_pause_reading(protocol->transport);
}

static void echo_resume_writing(uva_protocol_t *protocol)
{
    uva_transport_resume_reading(protocol->transport);
}

static const uva_protocol_ops_t echo_ops = {
    UVA_PROTOCOL_OPS(echoing_t),
    .data_received = echo_data_received,
    .pause_writing = echo_pause_writing,
    .resume_writing = echo_resume_writing,
};

UVA_TASK(int, echo_main, const char *port; bool view; bool protocol;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    int r;

    options.backlog_count = 4096;
    if (strchr(args->port, '/') != NULL) { /* The path of a unix socket. */
        r = args->protocol ? uva_create_unix_server(&echo_ops, NULL, args->port,
                                                    &options, &server)
            : bench_stackless ? uva_start_unix_server(echo_view_s, args->port,
                                                      &options, &server)
                              : uva_start_unix_server(echo_view, args->port,
                                                      &options, &server);
    } else if (args->protocol) {
        r = uva_create_server(&echo_ops, NULL, "127.0.0.1", args->port,
                              &options, &server);
    } else if (args->view) {
        r = bench_stackless ? uva_start_server(echo_view_s, "127.0.0.1",
                                               args->port, &options, &server)
                            : uva_start_server(echo_view, "127.0.0.1",
                                               args->port, &options, &server);
    } else {
        r = bench_stackless ? uva_start_server(echo_s, "127.0.0.1", args->port,
                                               &options, &server)
                            : uva_start_server(echo, "127.0.0.1", args->port,
                                               &options, &server);
    }
    if (r < 0) {
        return r;
    }
    if (strchr(args->port, '/') != NULL) {
        printf("listening on unix:%s\n", args->port);
    } else {
        printf("listening on 127.0.0.1:%d\n", uva_server_port(server));
    }
    fflush(stdout);
    r = uva_server_serve_forever(server);
    uva_server_unref(server);
    *ret = r;
    return r;
}

void bench_echo(int argc, char **argv)
{
    const char *port = "0";
    const char *mode = argc > 1 ? argv[1] : "";
    int r;

    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) {
            port = argv[i + 1];
        }
    }
    if (strcmp(mode, "stream") != 0 && strcmp(mode, "read") != 0 &&
        strcmp(mode, "protocol") != 0) {
        fputs("uva_bench: echo stream|read|protocol [--port N|PATH]\n", stderr);
        exit(2);
    }
    r = uva_run_task(echo_main, NULL, NULL, .port = port,
                     .view = strcmp(mode, "stream") == 0,
                     .protocol = strcmp(mode, "protocol") == 0);
    if (r != UV_EINTR) {
        bench_check(r, "echo");
    }
}

/* --- a pair in memory --- */

enum {
    PAIR_BYTES = 64
};

/* Messages there and back: one side asks, the other answers. */
UVA_TASK(void, pair_side, uva_reader_t *reader; uva_writer_t * writer;
         int64_t count;
         bool asks;)
{
    char data[PAIR_BYTES] = {0};
    uva_bytes_t got;
    int r = 0;

    (void)ret;
    for (int64_t i = 0; i < args->count && r >= 0; i++) {
        if (args->asks) {
            r = uva_writer_write(args->writer, data, sizeof data);
        }
        if (r >= 0) {
            r = uva_reader_read_view(args->reader, sizeof data, &got);
        }
        if (r >= 0 && !args->asks) {
            r = uva_writer_write(args->writer, got.data, got.size);
        }
    }
    return r;
}

UVA_TASK(void, pair_main, int64_t count;)
{
    uva_reader_t *readers[2];
    uva_writer_t *writers[2];
    pair_side_task_t *answers;
    int r = uva_open_memory_connection(0, readers, writers);

    (void)ret;
    if (r < 0) {
        return r;
    }
    answers = uva_spawn(pair_side, readers[1], writers[1], args->count, false);
    r = pair_side_await(
        uva_spawn(pair_side, readers[0], writers[0], args->count, true), NULL);
    if (r >= 0) {
        r = pair_side_await(answers, NULL);
    }
    uva_connection_close(readers[0], writers[0]);
    uva_connection_close(readers[1], writers[1]);
    return r < 0 ? r : 0;
}

void bench_pair(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 1000000);
    bench_mark_t mark = bench_begin();

    bench_check(uva_run_task(pair_main, NULL, NULL, .count = count), "pair");
    bench_end(mark, "pair", bench_peer(), (double)count);
}

/* --- crawl --- */

#define CRAWL_REQUEST "GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"

UVA_TASK(int, page, const char *port;)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_buffer_t text = {0};
    int r;

    r = uva_open_connection("127.0.0.1", args->port, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    r = uva_writer_write(writer, CRAWL_REQUEST, sizeof CRAWL_REQUEST - 1);
    if (r >= 0) {
        r = uva_reader_read_all(reader, UVA_NO_LIMIT, &text);
    }
    (void)uva_connection_close(reader, writer);
    *ret = (int)text.size;
    uva_buffer_clear(&text);
    return r;
}

UVA_STACKLESS(int, page_s, const char *port; uva_open_connection_op_t open;
              uva_reader_t * reader;
              uva_writer_t * writer;
              uva_buffer_t text;
              int status;)
{
    int r;

    UVA_BEGIN
    UVA_AWAIT(r, uva_open_connection, &self->open, "127.0.0.1", self->port,
              NULL, &self->reader, &self->writer);
    if (r < 0) {
        return r;
    }
    self->status =
        uva_writer_write(self->writer, CRAWL_REQUEST, sizeof CRAWL_REQUEST - 1);
    if (self->status >= 0) {
        UVA_AWAIT(self->status, uva_reader_read_all, self->reader, UVA_NO_LIMIT,
                  &self->text);
    }
    UVA_AWAIT(r, uva_connection_close, self->reader, self->writer);
    *ret = (int)self->text.size;
    uva_buffer_clear(&self->text);
    UVA_END
    return self->status;
}

UVA_TASK(int, crawl_main, const char *port; int64_t count;)
{
    uva_future_t **futures = calloc((size_t)args->count, sizeof *futures);
    int r;

    for (int64_t i = 0; i < args->count; i++) {
        futures[i] = bench_stackless
                         ? UVA_FUTURE(uva_spawn(page_s, .port = args->port))
                         : UVA_FUTURE(uva_spawn(page, .port = args->port));
    }
    r = uva_gather(UVA_FUTURES(futures), (size_t)args->count, 0, NULL);
    free(futures);
    *ret = r;
    return r;
}

void bench_crawl(int argc, char **argv)
{
    const char *port = argc > 1 ? argv[1] : "80";
    int64_t count = bench_arg(argc, argv, 2, 10);
    bench_mark_t mark = bench_begin();

    bench_check(
        uva_run_task(crawl_main, NULL, NULL, .port = port, .count = count),
        "crawl");
    bench_end_seconds(mark, "crawl", bench_peer(), count);
}
