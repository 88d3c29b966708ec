/*
 * A server that sends back whatever it gets:
 *
 *     echo_server [--port N | --unix PATH]
 *
 * Port 0 is one that the system chooses. Ctrl-C ends it in order, with status
 * 0.
 */
#include <stdio.h>
#include <string.h>

#include <uva.h>

/* One connection, in a task of its own. When it returns, what it has written
 * is sent and the connection closed: a client that sends, ends its half and
 * reads on gets every byte. */
UVA_TASK(void, echo, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_bytes_t bytes; /* They lie in the reader until it reads again. */
    int r;

    while ((r = uva_reader_read_view(args->reader, UVA_NO_LIMIT, &bytes)) > 0) {
        /* Waits for a client that reads slowly. */
        r = uva_writer_send(args->writer, bytes.data, bytes.size);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

UVA_TASK(void, serve, const char *port; const char *path;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.end_idle = true; /* Silent clients do not hold up the end. */
    int r = args->path != NULL
                ? uva_start_unix_server(echo, args->path, &options, &server)
                : uva_start_server(echo, "127.0.0.1", args->port, &options,
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
