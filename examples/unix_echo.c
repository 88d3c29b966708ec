/*
 * An echo server on a unix socket, and a client of it:
 *
 *     unix_echo --unix PATH            serve until Ctrl-C
 *     unix_echo --unix PATH MESSAGE    send a message, print the answer
 *
 * "@name" is a name without a file, on Linux. With --port N instead of --unix
 * PATH the server listens on 127.0.0.1.
 */
#include <stdio.h>
#include <string.h>

#include <uva.h>

UVA_TASK(void, echo, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_bytes_t bytes; /* They lie in the reader until it reads again. */
    int r;

    while ((r = uva_reader_read_view(args->reader, UVA_NO_LIMIT, &bytes)) > 0) {
        r = uva_writer_send(args->writer, bytes.data, bytes.size);
        if (r < 0) {
            break;
        }
    }
    return r;
}

UVA_TASK(void, serve, const char *path; const char *port;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_address_t address;
    uva_server_t *server;

    options.unix_mode = 0600; /* Other users cannot connect. */
    options.end_idle = true;  /* Silent clients do not hold up the end. */
    int r = args->path != NULL
                ? uva_start_unix_server(echo, args->path, &options, &server)
                : uva_start_server(echo, "127.0.0.1", args->port, &options,
                                   &server);
    if (r < 0) {
        return r;
    }
    r = uva_server_get_sockname(server, 0, &address);
    if (r >= 0 && address.family == UVA_FAMILY_UNIX) {
        printf("listening on %s\n", address.host);
    } else if (r >= 0) {
        printf("listening on %s:%u\n", address.host, (unsigned)address.port);
    }
    fflush(stdout);
    int end = uva_sleep(UVA_FOREVER); /* Until Ctrl-C cancels this task. */
    /* The socket's file goes with the server. */
    r = uva_server_shutdown(server, UVA_SEC(1));
    uva_server_unref(server);
    return r < 0 ? r : end == UV_ECANCELED ? 0 : end;
}

UVA_TASK(void, ask, const char *path; const char *message;)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_buffer_t answer = {0};

    int r = uva_open_unix_connection(args->path, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    r = uva_writer_send(writer, args->message, strlen(args->message));
    if (r >= 0) {
        r = uva_writer_write_eof(writer);
    }
    if (r >= 0) {
        r = uva_reader_read_all(reader, UVA_NO_LIMIT, &answer);
    }
    if (r >= 0) {
        printf("%s\n", answer.data == NULL ? "" : (const char *)answer.data);
    }
    uva_buffer_clear(&answer);
    uva_connection_close(reader, writer);
    return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
    bool has_path = argc >= 3 && strcmp(argv[1], "--unix") == 0;
    bool has_port = argc == 3 && strcmp(argv[1], "--port") == 0;

    if (argc == 4 && has_path) {
        return uva_main(ask, .path = argv[2], .message = argv[3]);
    }
    if (argc == 3 && (has_path || has_port)) {
        return uva_main(serve, .path = has_path ? argv[2] : NULL,
                        .port = argv[2]);
    }
    fprintf(stderr,
            "usage: %s --unix PATH [MESSAGE]\n"
            "       %s --port N\n",
            argv[0], argv[0]);
    return 2;
}
