/*
 * Three pages at the same time, from a server in the same program.
 */
#include <stdio.h>

#include <uva.h>

static char port[8];

/* A task: typed result, named arguments copied into the task. int status out,
 * 0 or a negative code. */
UVA_TASK(size_t, fetch, const char *path;)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_buffer_t page;

    int r = uva_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    r = uva_writer_printf(writer, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n",
                          args->path);
    if (r >= 0) {
        r = uva_reader_read_all(reader, UVA_NO_LIMIT, &page); /* Owned. */
    }
    uva_connection_close(reader, writer); /* Flushes, drops both references. */
    if (r < 0) {
        return r; /* Cancelled? It passes through here. */
    }
    *ret = page.size;
    uva_buffer_clear(&page);
    return 0;
}

UVA_TASK(int, crawl)
{
    const char *paths[] = {"/1", "/22", "/333"};
    fetch_task_t *tasks[3];
    size_t sizes[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = uva_spawn(fetch, .path = paths[i]); /* No check here ... */
    }
    int r = fetch_gather(tasks, 3, 0, NULL, sizes); /* ... but here. */
    if (r < 0) {
        return r;
    }
    printf("%zu %zu %zu bytes\n", sizes[0], sizes[1], sizes[2]);
    return 0;
}

/* The page of a path is the line that asks for it. */
UVA_TASK(int, serve, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_buffer_t line;

    int r = uva_reader_readline(args->reader, &line);
    if (r < 0) {
        return r;
    }
    return uva_writer_write_take(args->writer, &line);
}

UVA_TASK(int, program)
{
    uva_server_t *server;

    int r = uva_start_server(serve, "127.0.0.1", "0", NULL, &server);
    if (r < 0) {
        return r;
    }
    snprintf(port, sizeof port, "%d", uva_server_port(server));
    r = crawl_await(uva_spawn(crawl), NULL);
    uva_server_close(server);
    uva_server_unref(server);
    return r;
}

int main(void)
{
    return uva_main(program);
}
