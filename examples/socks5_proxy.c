/*
 * A SOCKS 5 proxy, RFC 1928: socks5_proxy [--port N | --unix PATH]. It connects
 * to IPv4 and IPv6 addresses and to names, and asks for no password; try
 *
 *     curl --socks5-hostname 127.0.0.1:PORT http://example.org/
 */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "relay.h"
#include "server.h"

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
    } else {
        inet_ntop(size == 4 ? AF_INET : AF_INET6, b, target->host,
                  sizeof target->host);
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

UVA_TASK(void, socks, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uint8_t answer[10] = {5, 0, 0, 1}; /* From 0.0.0.0: we do not tell. */
    uva_reader_t *far_reader = NULL;
    uva_writer_t *far_writer = NULL;
    target_t target;
    int r = 0;

    options.close_timeout_ns = UVA_SEC(10);
    cancel_when_gone(args->writer);
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
            r = uva_open_connection(target.host, target.port, &options,
                                    &far_reader, &far_writer);
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

UVA_TASK(void, serve, place_t place;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.end_idle = true; /* Silent clients do not hold up the end. */
    options.close_timeout_ns = UVA_SEC(10); /* For clients that do not read. */
    int r = start_server_at(args->place, socks, &options, &server);
    return r < 0 ? r : end_server(server, wait_for_interrupt(server));
}

int main(int argc, char **argv)
{
    place_t place = take_place(&argc, argv);

    if (argc != 1) {
        return usage(argv[0], "");
    }
    return uva_main(serve, .place = place);
}
