/*
 * A server that sends back whatever it gets:
 *
 *     echo_server [--port N | --unix PATH]
 *
 * Port 0 is one that the system chooses. Ctrl-C ends it in order, with status
 * 0.
 */
#include "server.h"

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

UVA_TASK(void, serve, place_t place;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.end_idle = true; /* Silent clients do not hold up the end. */
    options.close_timeout_ns = UVA_SEC(10); /* For clients that do not read. */
    int r = start_server_at(args->place, echo, &options, &server);
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
