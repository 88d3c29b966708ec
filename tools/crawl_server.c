/*
 * The embedded server: every page takes a while. It is a process of its own,
 * so that its time and memory are not counted with those of the crawl, and it
 * ends when the process that started it ends, however that happens: then the
 * lifeline between them is closed.
 */
#include "crawl.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char page_text[] =
    "<!DOCTYPE html>\n<title>A slow page</title>\n<p>It took its time.\n";

UVA_TASK(int, page_serve, uva_reader_t *reader; uva_writer_t * writer;
         uint64_t delay_ns;)
{
    uva_buffer_t head;
    int r = uva_reader_readuntil(args->reader, UVA_BYTES("\r\n\r\n"), &head);

    if (r < 0) {
        return r == UV_ECANCELED ? r : 0; /* A client that went away. */
    }
    uva_buffer_clear(&head);
    r = uva_sleep(args->delay_ns);
    if (r < 0) {
        return r;
    }
    return uva_writer_printf(args->writer,
                             "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n"
                             "Content-Length: %zu\r\n\r\n%s",
                             sizeof page_text - 1, page_text);
}

UVA_TASK(void, serve, uint64_t delay_ns; int port_pipe;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    int port;
    int r;

    options.backlog_count = 4096; /* All may come at the same moment. */
    r = uva_start_server(page_serve, "127.0.0.1", "0", &options, &server,
                         .delay_ns = args->delay_ns);
    if (r < 0) {
        return r;
    }
    port = uva_server_port(server);
    if (write(args->port_pipe, &port, sizeof port) == sizeof port) {
        r = uva_server_serve_forever(server);
    }
    uva_server_unref(server);
    return r;
}

static void *lifeline_watch(void *data)
{
    char byte;

    while (read(*(int *)data, &byte, 1) < 0 && errno == EINTR) {
    }
    _exit(0);
}

static void server_process(uint64_t delay_ns, int port_pipe, int lifeline)
{
    pthread_t watch;

    if (pthread_create(&watch, NULL, lifeline_watch, &lifeline) == 0) {
        UVA_IGNORE(uva_run_task(serve, NULL, NULL, .delay_ns = delay_ns,
                                .port_pipe = port_pipe));
    }
    _exit(1);
}

static void close_pair(const int *pair)
{
    close(pair[0]);
    close(pair[1]);
}

int slow_server_start(slow_server_t *server, uint64_t delay_ns)
{
    int port_pipe[2];
    int lifeline[2];
    ssize_t size;

    if (pipe(port_pipe) != 0) {
        return -errno;
    }
    if (pipe(lifeline) != 0) {
        close_pair(port_pipe);
        return -errno;
    }
    server->pid = fork();
    if (server->pid < 0) {
        int code = -errno;

        close_pair(port_pipe);
        close_pair(lifeline);
        return code;
    }
    if (server->pid == 0) {
        close(lifeline[1]);
        server_process(delay_ns, port_pipe[1], lifeline[0]);
    }
    close(port_pipe[1]);
    close(lifeline[0]);
    server->lifeline = lifeline[1];
    do {
        size = read(port_pipe[0], &server->port, sizeof server->port);
    } while (size < 0 && errno == EINTR);
    close(port_pipe[0]);
    if (size != sizeof server->port) {
        slow_server_stop(server);
        return UV_EPIPE;
    }
    return 0;
}

void slow_server_stop(slow_server_t *server)
{
    close(server->lifeline);
    while (server->pid > 0 && waitpid(server->pid, NULL, 0) < 0 &&
           errno == EINTR) {
    }
}

void slow_server_leave(const slow_server_t *server)
{
    close(server->lifeline);
}
