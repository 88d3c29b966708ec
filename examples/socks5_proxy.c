/*
 * A SOCKS 5 proxy, RFC 1928: socks5_proxy [--port N]. It connects to IPv4 and
 * IPv6 addresses and to names, and asks for no password; try
 *
 *     curl --socks5-hostname 127.0.0.1:PORT http://example.org/
 */
#include <stdio.h>
#include <string.h>

#include <uva.h>

/* Where a client wants to go, as uva_open_connection takes it. */
typedef struct target_s {
    char host[256];
    char port[6];
} target_t;

/* Agree on method 0, which is no password. */
static int greet(uva_reader_t *reader, uva_writer_t *writer)
{
    uint8_t head[2], methods[255], answer[2] = {5, 0};

    int r = uva_reader_readexactly(reader, head, 2, NULL);
    if (r < 0 || head[0] != 5) {
        return r < 0 ? r : UV_EPROTO;
    }
    r = uva_reader_readexactly(reader, methods, head[1], NULL);
    if (r >= 0 && memchr(methods, 0, head[1]) == NULL) {
        answer[1] = 255; /* None will do. */
    }
    if (r >= 0) {
        r = uva_writer_write(writer, answer, sizeof answer);
    }
    return r >= 0 && answer[1] != 0 ? UV_EPROTO : r;
}

/* @return 0, the reply with which to refuse, or a code. */
static int read_request(uva_reader_t *reader, target_t *target)
{
    uint8_t head[4 + 1 + 255 + 2]; /* Version, command, 0, kind of address. */
    const uint8_t *b = head + 4;   /* The address; a name begins with its size.
                                      Behind it are two bytes of the port. */
    int r = uva_reader_readexactly(reader, head, 5, NULL);
    if (r < 0 || head[0] != 5) {
        return r < 0 ? r : UV_EPROTO;
    }
    size_t size = head[3] == 1   ? 4         /* IPv4. */
                  : head[3] == 4 ? 16        /* IPv6. */
                  : head[3] == 3 ? 1u + b[0] /* A name. */
                                 : 0;
    if (size < 2) {
        return 8; /* Address type not supported. */
    }
    r = uva_reader_readexactly(reader, head + 5, size + 1, NULL);
    if (r < 0) {
        return r;
    }
    if (head[3] == 3) {
        snprintf(target->host, sizeof target->host, "%.*s", b[0],
                 (const char *)b + 1);
    } else if (head[3] == 1) {
        snprintf(target->host, sizeof target->host, "%d.%d.%d.%d", b[0], b[1],
                 b[2], b[3]);
    } else {
        for (size_t i = 0; i < 16; i += 2) {
            snprintf(target->host + i / 2 * 5, 6, "%02x%02x%s", b[i], b[i + 1],
                     i < 14 ? ":" : "");
        }
    }
    snprintf(target->port, sizeof target->port, "%d",
             b[size] << 8 | b[size + 1]);
    return head[1] == 1 ? 0 : 7; /* CONNECT; command not supported. */
}

static uint8_t reply_of(int r)
{
    return r >= 0                 ? (uint8_t)r /* Success, or read_request's. */
           : r == UV_ENETUNREACH  ? 3
           : r == UV_EHOSTUNREACH ? 4
           : r == UV_ETIMEDOUT    ? 4
           : r == UV_EAI_NONAME   ? 4
           : r == UV_ECONNREFUSED ? 5
                                  : 1; /* General failure. */
}

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

UVA_TASK(void, socks, uva_reader_t *reader; uva_writer_t * writer;)
{
    uint8_t answer[10] = {5, 0, 0, 1}; /* From 0.0.0.0: we do not tell. */
    uva_reader_t *far_reader = NULL;
    uva_writer_t *far_writer = NULL;
    target_t target;
    int r = 0;

    UVA_TIMEOUT (r, UVA_SEC(10)) {
        r = greet(args->reader, args->writer);
        if (r >= 0) {
            r = read_request(args->reader, &target);
        }
    }
    if (r == UV_EPROTO || r == UV_ETIMEDOUT || r == UVA_EINCOMPLETEREAD) {
        return 0; /* A client that does not speak SOCKS 5 gets no reply. */
    }
    if (r < 0) {
        return r;
    }
    if (r == 0) {
        UVA_TIMEOUT (r, UVA_SEC(10)) {
            r = uva_open_connection(target.host, target.port, NULL, &far_reader,
                                    &far_writer);
        }
    }
    if (r == UV_ECANCELED) {
        return r;
    }
    answer[1] = reply_of(r);
    r = uva_writer_write(args->writer, answer, sizeof answer);
    if (far_writer != NULL) {
        if (r >= 0) {
            r = relay(args->reader, args->writer, far_reader, far_writer);
        }
        uva_connection_close(far_reader, far_writer);
    }
    return r;
}

UVA_TASK(void, serve, const char *port;)
{
    uva_server_t *server;

    int r = uva_start_server(socks, "127.0.0.1", args->port, NULL, &server);
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
    bool has_port = argc == 3 && strcmp(argv[1], "--port") == 0;

    if (argc != 1 && !has_port) {
        fprintf(stderr, "usage: %s [--port N]\n", argv[0]);
        return 2;
    }
    return uva_main(serve, .port = has_port ? argv[2] : "0");
}
