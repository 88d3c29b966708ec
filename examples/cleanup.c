/*
 * Several resources in one body. All begin as nothing, every failure takes the
 * same road, and the road's end releases whatever there is: each release takes
 * nothing as well. A cancellation is a failure like any other.
 */
#include <stdio.h>

#include <uva.h>
#include <uva/alloc.h>

static char port[8];

UVA_TASK(size_t, ask, const char *question;)
{
    uva_reader_t *reader = NULL;
    uva_writer_t *writer = NULL;
    uva_buffer_t head = {0};
    uva_buffer_t body = {0};
    int r;

    r = uva_open_connection("127.0.0.1", port, NULL, &reader, &writer);
    if (r < 0) {
        goto done;
    }
    r = uva_writer_printf(writer, "%s\n", args->question);
    if (r < 0) {
        goto done;
    }
    r = uva_reader_readline(reader, &head);
    if (r < 0) {
        goto done;
    }
    r = uva_reader_read_all(reader, 1000, &body);
    if (r < 0) {
        goto done;
    }
    *ret = head.size + body.size;
    r = 0;
done:
    uva_buffer_clear(&body);
    uva_buffer_clear(&head);
    uva_connection_close(reader, writer);
    return r;
}

/* Answers every question with two lines, but never ends one about time. */
UVA_TASK(int, answer, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_bytes_t line;

    int r = uva_reader_readline_view(args->reader, &line);
    if (r < 0) {
        return r;
    }
    r = uva_writer_printf(args->writer, "well\nlet me see\n");
    return r >= 0 && line.data[0] == 't' ? uva_sleep(UVA_FOREVER) : r;
}

UVA_TASK(int, program)
{
    uva_server_t *server;
    size_t size;

    int r = uva_start_server(answer, "127.0.0.1", "0", NULL, &server);
    if (r < 0) {
        return r;
    }
    snprintf(port, sizeof port, "%d", uva_server_port(server));
    r = ask_await(uva_spawn(ask, .question = "space"), &size);
    printf("space: %s, %zu bytes\n", r < 0 ? uva_err_name(r) : "answered",
           size);
    UVA_TIMEOUT (r, UVA_MS(20)) {
        r = ask_await(uva_spawn(ask, .question = "time"), &size);
    }
    printf("time: %s\n", uva_err_name(r));
    uva_server_close(server);
    uva_server_unref(server);
    return 0;
}

int main(void)
{
    int r = uva_run_task(program, NULL, NULL);

    printf("%zu bytes left behind\n", uva_allocated_bytes());
    return r < 0;
}
