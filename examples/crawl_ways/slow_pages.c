/*
 * The server: each page comes 100 ms after its request. Its main task serves
 * the starter, over one end of a pair of sockets: first the port, then the
 * counts for each line that comes. The other end closes when the starter ends,
 * however that happens, and then the server ends too.
 */
#include "slow_pages.h"

#include <sys/wait.h>

#include <uva.h>

#include "crawl.h"

#define DELAY_NS UVA_MS(100)

/* Of the server's process, which has one thread. */
static int waiting_count;
static slow_pages_counts_t counts;

UVA_TASK(int, page_serve, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_buffer_t request;
    int number = -1;

    int r = uva_reader_readuntil(args->reader, UVA_BYTES("\r\n\r\n"), &request);
    if (r < 0) {
        return r == UV_ECANCELED ? r : 0; /* A client that went away. */
    }
    sscanf((const char *)request.data, "GET /%d", &number);
    uva_buffer_clear(&request);

    waiting_count++;
    if (counts.at_once < waiting_count) {
        counts.at_once = waiting_count;
    }
    r = uva_sleep(DELAY_NS);
    waiting_count--;
    if (r < 0) {
        return r;
    }
    counts.served++;
    return uva_writer_printf(args->writer, PAGE_ANSWER, number);
}

/* Answer each line with the counts. @return 0 when the other end is closed. */
UVA_CORO static int control_serve(uva_reader_t *reader, uva_writer_t *writer)
{
    uva_bytes_t line;
    int r;

    while ((r = uva_reader_readline_view(reader, &line)) > 0) {
        r = uva_writer_printf(writer, "%d %d\n", counts.served, counts.at_once);
        if (r < 0) {
            break;
        }
        counts = (slow_pages_counts_t){0};
    }
    return r;
}

UVA_TASK(void, serve, int take_control;)
{
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;

    int r = uva_open_connection_fd(args->take_control, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    r = uva_start_server(page_serve, HOST, "0", NULL, &server);
    if (r >= 0) {
        r = uva_writer_printf(writer, "%d\n", uva_server_port(server));
        if (r >= 0) {
            r = control_serve(reader, writer);
        }
        UVA_IGNORE(uva_server_shutdown(server, UVA_SEC(1)));
        uva_server_unref(server);
    }
    uva_connection_close(reader, writer);
    return r;
}

/* Read a line of the server, which has come in one piece. @return 0, or -1. */
static int control_read(const slow_pages_t *server, char *line, size_t size)
{
    ssize_t got = recv(server->control, line, size - 1, 0);

    line[got > 0 ? got : 0] = '\0';
    return got > 0 ? 0 : -1;
}

int slow_pages_start(slow_pages_t *server)
{
    char line[32];
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    server->pid = fork();
    if (server->pid == 0) {
        close(pair[0]);
        exit(uva_main(serve, .take_control = pair[1]));
    }
    close(pair[1]);
    server->control = pair[0];
    if (server->pid < 0 || control_read(server, line, sizeof line) < 0) {
        close(pair[0]);
        return -1;
    }
    return sscanf(line, "%d", &server->port) == 1 ? 0 : -1;
}

int slow_pages_take_counts(const slow_pages_t *server,
                           slow_pages_counts_t *ret_counts)
{
    char line[32];

    if (send(server->control, "\n", 1, MSG_NOSIGNAL) != 1 ||
        control_read(server, line, sizeof line) < 0) {
        return -1;
    }
    return sscanf(line, "%d %d", &ret_counts->served, &ret_counts->at_once) == 2
               ? 0
               : -1;
}

int slow_pages_stop(slow_pages_t *server)
{
    int status;

    close(server->control);
    return waitpid(server->pid, &status, 0) < 0 ? -1 : status;
}
