/*
 * A stackless task: locals are members, an await is a poll that is called
 * again after each wake-up. Spawned, awaited and gathered as any other.
 */
#include <stdio.h>

#include <uva.h>

UVA_STACKLESS(size_t, line_length, uva_reader_t *reader; uva_buffer_t line;)
{
    int r;
    UVA_BEGIN
    UVA_AWAIT(r, uva_reader_readline, self->reader, &self->line);
    if (r < 0) {
        return r;
    }
    *ret = self->line.size;
    uva_buffer_clear(&self->line);
    UVA_END
    return 0;
}

/* The other end: two lines, the second one late. Stackless too. */
UVA_STACKLESS(int, serve, uva_reader_t *reader; uva_writer_t * writer;
              uva_sleep_op_t nap;)
{
    int r;
    UVA_BEGIN
    r = uva_writer_printf(self->writer, "hello\n");
    if (r < 0) {
        return r;
    }
    UVA_AWAIT(r, uva_sleep, &self->nap, UVA_MS(5));
    if (r < 0) {
        return r;
    }
    return uva_writer_printf(self->writer, "hello again\n");
    UVA_END
    return 0;
}

UVA_TASK(int, program)
{
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
    char port[8];

    int r = uva_start_server(serve, "127.0.0.1", "0", NULL, &server);
    if (r < 0) {
        return r;
    }
    snprintf(port, sizeof port, "%d", uva_server_port(server));
    r = uva_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    for (int i = 0; i < 2 && r >= 0; i++) {
        size_t length;
        line_length_task_t *task = uva_spawn(line_length, .reader = reader);

        r = line_length_await(task, &length);
        if (r >= 0) {
            printf("a line of %zu bytes\n", length);
        }
    }
    uva_server_close(server);
    uva_server_unref(server);
    uva_connection_close(reader, writer);
    return r;
}

int main(void)
{
    return uva_main(program);
}
