/*
 * A proxy in front of several servers that do the same:
 *
 *     tcp_proxy [--port N | --unix PATH] HOST:PORT...
 *
 * The backends take turns; one that refuses, or does not answer within two
 * seconds, is passed over. Each direction of a connection ends by itself: a
 * client that has sent all it wants still gets the whole answer.
 */
#include "relay.h"
#include "server.h"

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

/* Connect to the backend whose turn it is, or to the next that can be had. */
static int connect_backend(uva_reader_t **ret_reader, uva_writer_t **ret_writer)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    size_t turn = next_turn; /* Each client tries each backend once. */
    int r = UV_ECONNREFUSED;

    options.close_timeout_ns = UVA_SEC(10); /* For one that does not read. */
    for (size_t i = 0; i < backend_count; i++) {
        const backend_t *backend = &backends[(turn + i) % backend_count];
        next_turn++; /* For clients that come while this one waits. */
        UVA_TIMEOUT (r, UVA_SEC(2)) {
            r = uva_open_connection(backend->host, backend->port, &options,
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

    cancel_when_gone(args->writer);
    int r = connect_backend(&far_reader, &far_writer);
    if (r < 0) {
        uva_transport_abort(uva_writer_transport(args->writer));
        return r;
    }
    r = relay(args->reader, args->writer, far_reader, far_writer);
    uva_connection_close(far_reader, far_writer);
    return r;
}

UVA_TASK(void, serve, place_t place;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.end_idle = true; /* Silent clients do not hold up the end. */
    options.close_timeout_ns = UVA_SEC(10); /* For clients that do not read. */
    int r = start_server_at(args->place, proxy, &options, &server);
    return r < 0 ? r : end_server(server, wait_for_interrupt(server));
}

int main(int argc, char **argv)
{
    place_t place = take_place(&argc, argv);

    for (int i = 1; i < argc; i++) {
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
        return usage(argv[0], " HOST:PORT...");
    }
    return uva_main(serve, .place = place);
}
