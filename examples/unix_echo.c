/*
 * An echo server on a unix socket, and a client of it:
 *
 *     unix_echo --unix PATH            serve until Ctrl-C
 *     unix_echo --unix PATH MESSAGE    send a message, print the answer
 *
 * "@name" is a name without a file, on Linux. Without --unix, or with --port N,
 * the server listens on 127.0.0.1.
 */
#include "server.h"

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

UVA_TASK(void, serve, place_t place;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.unix_mode = 0600; /* Other users cannot connect. */
    options.end_idle = true;  /* Silent clients do not hold up the end. */
    options.close_timeout_ns = UVA_SEC(10); /* For clients that do not read. */
    int r = start_server_at(args->place, echo, &options, &server);
    return r < 0 ? r : end_server(server, wait_for_interrupt(server));
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
    place_t place = take_place(&argc, argv);

    if (argc == 1) {
        return uva_main(serve, .place = place);
    }
    if (argc == 2 && place.path != NULL) {
        return uva_main(ask, .path = place.path, .message = argv[1]);
    }
    return usage(argv[0], " [MESSAGE]");
}
