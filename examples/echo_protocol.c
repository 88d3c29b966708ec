/*
 * The echo server by callbacks, without a task for each connection:
 *
 *     echo_protocol [--port N | --unix PATH]
 *
 * Port 0 is one that the system chooses. Ctrl-C ends it in order, with status
 * 0.
 */
#include <stdio.h>
#include <string.h>

#include <uva.h>

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

UVA_TASK(void, serve, const char *port; const char *path;)
{
    uva_server_t *server;
    int r =
        args->path != NULL
            ? uva_create_unix_server(&echo_ops, NULL, args->path, NULL, &server)
            : uva_create_server(&echo_ops, NULL, "127.0.0.1", args->port, NULL,
                                &server);
    if (r < 0) {
        return r;
    }
    if (args->path != NULL) {
        printf("listening on %s\n", args->path);
    } else {
        printf("listening on 127.0.0.1:%u\n",
               (unsigned)uva_server_port(server));
    }
    fflush(stdout);
    int end = uva_sleep(UVA_FOREVER); /* Until Ctrl-C cancels this task. */
    uva_server_close_clients(server); /* What was written is sent. */
    r = uva_server_shutdown(server, UVA_SEC(1)); /* Aborts who does not read. */
    uva_server_unref(server);
    return r < 0 ? r : end == UV_ECANCELED ? 0 : end;
}

int main(int argc, char **argv)
{
    bool has_port = argc == 3 && strcmp(argv[1], "--port") == 0;
    bool has_path = argc == 3 && strcmp(argv[1], "--unix") == 0;

    if (argc != 1 && !has_port && !has_path) {
        fprintf(stderr, "usage: %s [--port N | --unix PATH]\n", argv[0]);
        return 2;
    }
    return uva_main(serve, .port = has_port ? argv[2] : "0",
                    .path = has_path ? argv[2] : NULL);
}
