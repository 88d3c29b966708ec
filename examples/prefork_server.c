/*
 * A server of several processes that accept on the same sockets:
 *
 *     prefork_server [--port N] [--workers N] [--grace SECONDS]
 *
 * The answer to each line is the process id of the worker, and the line in
 * capitals. SIGHUP replaces the workers without a lost connection, SIGTERM and
 * Ctrl-C end in order: prefork.h has that part. A connection may take as long
 * as the grace to end; then it is aborted.
 *
 * As a unit of systemd: Type=notify-reload, or notify with ExecReload=kill -HUP
 * $MAINPID; KillMode=mixed; the sockets of a socket unit are taken.
 */
#define _DEFAULT_SOURCE /* For what prefork.h and systemd.h need. */

#include "prefork.h"
#include "server.h"
#include "systemd.h"

#include <ctype.h>
#include <errno.h>

#define SOCKETS_MOST 16
#define WORKERS_MOST 512

static int sockets[SOCKETS_MOST];
static size_t socket_count; /* systemd may pass several. */
static uint64_t grace_ns;

UVA_TASK(void, answer, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_buffer_t line;
    int r;

    while ((r = uva_reader_readline(args->reader, &line)) > 0) {
        for (size_t i = 0; i < line.size; i++) {
            line.data[i] = (uint8_t)toupper(line.data[i]);
        }
        r = uva_writer_printf(args->writer, "%ld %.*s", (long)getpid(),
                              (int)line.size, (const char *)line.data);
        uva_buffer_clear(&line);
        r = r < 0 ? r : uva_writer_drain(args->writer);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

/* A worker. What may change with a reload, such as a configuration, is read
 * here. There is no end_idle: a client that has connected, and has sent nothing
 * yet, would be sent away by a reload. */
UVA_TASK(void, serve)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.fds = sockets;
    options.fd_count = socket_count;
    options.backlog_count = SOMAXCONN; /* Of the socket, so of all workers. */
    options.close_timeout_ns = grace_ns;
    int r = uva_start_server(answer, NULL, NULL, &options, &server);
    if (r < 0) {
        return r;
    }
    prefork_serving();
    r = uva_sleep(UVA_FOREVER);
    if (r == UV_ECANCELED) { /* By SIGTERM. */
        r = uva_server_shutdown(server, grace_ns);
    }
    uva_server_unref(server);
    return r < 0 ? r : 0; /* It is the count of those that were aborted. */
}

static int work(void)
{
    return uva_main(serve);
}

/* Open a socket that listens on a port of this host. @return It, or a code. */
static int listen_on(int port)
{
    struct sockaddr_in address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || uv_ip4_addr("127.0.0.1", port, &address) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, SOMAXCONN) < 0) {
        return uv_translate_sys_error(errno);
    }
    return fd;
}

/* Tell where the first socket listens. */
static void tell_place(void)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "?";
    char port[NI_MAXSERV] = "?";

    getsockname(sockets[0], (struct sockaddr *)&address, &size);
    getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port,
                sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    printf("listening on %s:%s\n", host, port);
    fflush(stdout); /* Else each worker prints it again. */
}

/* Take a number out of the arguments. @return It, or -1 for a wrong one. */
static int take_number(int *argc, char **argv, const char *name, int otherwise)
{
    const char *text = take_option(argc, argv, name, NULL);
    char *end;

    if (text == NULL) {
        return otherwise;
    }
    long number = strtol(text, &end, 10);
    return *end == 0 && number >= 0 && number <= 65535 ? (int)number : -1;
}

int main(int argc, char **argv)
{
    prefork_begin();
    int port = take_number(&argc, argv, "--port", 0);
    int worker_count =
        take_number(&argc, argv, "--workers", (int)uv_available_parallelism());
    int grace_s = take_number(&argc, argv, "--grace", 10);

    if (argc != 1 || port < 0 || worker_count < 1 ||
        worker_count > WORKERS_MOST || grace_s < 0) {
        fprintf(stderr, "usage: %s [--port N] [--workers N] [--grace S]\n",
                argv[0]);
        return 2;
    }
    grace_ns = UVA_SEC(grace_s);
    socket_count = systemd_sockets(sockets, SOCKETS_MOST);
    if (socket_count == 0) {
        sockets[socket_count++] = listen_on(port);
    }
    if (sockets[0] < 0) {
        fprintf(stderr, "cannot listen: %s\n", uva_strerror(sockets[0]));
        return 1;
    }
    tell_place();
    return prefork_run(work, (size_t)worker_count, grace_ns, sockets,
                       socket_count);
}
