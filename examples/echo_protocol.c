/*
 * The echo server by callbacks, without a task for each connection:
 *
 *     echo_protocol [--port N | --unix PATH]
 *
 * Port 0 is one that the system chooses. Ctrl-C ends it in order, with status
 * 0.
 */
#include "server.h"

/* One connection. It has nothing to remember but what the library keeps. */
typedef struct echo_s {
    uva_protocol_t base;
} echo_t;

static int echo_data_received(uva_protocol_t *self, uva_bytes_t data)
{
    return uva_transport_write(self->transport, data.data, data.size);
}

/* The client has sent all. What it has not read yet is sent before the
 * connection is closed. */
static int echo_eof_received(uva_protocol_t *self)
{
    (void)self;
    return 0;
}

/* A client that does not read is not read from either. */
static void echo_pause_writing(uva_protocol_t *self)
{
    uva_transport_pause_reading(self->transport);
}

static void echo_resume_writing(uva_protocol_t *self)
{
    uva_transport_resume_reading(self->transport);
}

static const uva_protocol_ops_t echo_ops = {
    UVA_PROTOCOL_OPS(echo_t),
    .data_received = echo_data_received,
    .eof_received = echo_eof_received,
    .pause_writing = echo_pause_writing,
    .resume_writing = echo_resume_writing,
};

UVA_TASK(void, serve, place_t place;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.close_timeout_ns = UVA_SEC(10); /* For clients that do not read. */
    int r = args->place.path != NULL
                ? uva_create_unix_server(&echo_ops, NULL, args->place.path,
                                         &options, &server)
                : uva_create_server(&echo_ops, NULL, "127.0.0.1",
                                    args->place.port, &options, &server);
    if (r < 0) {
        return r;
    }
    r = wait_for_interrupt(server);
    uva_server_close_clients(server); /* What was written is sent. */
    return end_server(server, r);
}

int main(int argc, char **argv)
{
    place_t place = take_place(&argc, argv);

    if (argc != 1) {
        return usage(argv[0], "");
    }
    return uva_main(serve, .place = place);
}
