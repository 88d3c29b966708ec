/*
 * The floor of an echo with libuv: uv_try_write first, uv_write for the tail,
 * one shared buffer for reading.
 *
 *     floor_echo_uv [PORT]
 */
#include <uv.h>

#include "bench_net.h"

typedef struct tail_s {
    uv_write_t write;
    char data[];
} tail_t;

static char buffer[65536];

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buffer)
{
    (void)handle;
    (void)size;
    *ret_buffer = uv_buf_init(buffer, sizeof buffer);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

static void keep_rest(uv_stream_t *stream, const char *data, size_t size)
{
    tail_t *tail = malloc(sizeof *tail + size);
    uv_buf_t rest;

    memcpy(tail->data, data, size);
    rest = uv_buf_init(tail->data, (unsigned)size);
    if (uv_write(&tail->write, stream, &rest, 1, on_written) < 0) {
        free(tail);
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    uv_buf_t out;
    int sent;

    if (size <= 0) {
        if (size < 0) {
            uv_close((uv_handle_t *)stream, on_close);
        }
        return;
    }
    out = uv_buf_init(data->base, (unsigned)size);
    sent = uv_try_write(stream, &out, 1);
    if (sent == size) {
        return;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    keep_rest(stream, data->base + sent, (size_t)(size - sent));
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *tcp;

    if (status < 0) {
        return;
    }
    tcp = calloc(1, sizeof *tcp);
    uv_tcp_init(server->loop, tcp);
    if (uv_accept(server, (uv_stream_t *)tcp) < 0) {
        uv_close((uv_handle_t *)tcp, on_close);
        return;
    }
    uv_tcp_nodelay(tcp, 1);
    uv_read_start((uv_stream_t *)tcp, on_alloc, on_read);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address =
        bench_loopback((int)bench_arg(argc, argv, 1, 0));
    uv_loop_t *loop = uv_default_loop();
    uv_os_fd_t fd;
    uv_tcp_t server;
    int r;

    signal(SIGPIPE, SIG_IGN);
    uv_tcp_init(loop, &server);
    r = uv_tcp_bind(&server, (struct sockaddr *)&address, 0);
    if (r == 0) {
        r = uv_listen((uv_stream_t *)&server, 4096, on_connection);
    }
    if (r < 0) {
        fprintf(stderr, "floor_echo_uv: %s\n", uv_strerror(r));
        return 1;
    }
    uv_fileno((uv_handle_t *)&server, &fd);
    bench_say_port(fd);
    return uv_run(loop, UV_RUN_DEFAULT);
}
