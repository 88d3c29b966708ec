/*
 * uva, stackless: macros make the switch of by_hand.c. A value that is needed
 * after an await is a member and no local, so a task that waits takes its
 * members and 96 bytes. Errors and cancellation come as the code of the await.
 */
#include "crawl.h"

#include <uva.h>

UVA_STACKLESS(int, fetch, int number; const char *port;
              uva_open_connection_op_t opening;
              uva_reader_t * reader;
              uva_writer_t * writer;
              uva_buffer_t answer;
              int status;)
{
    int r;
    UVA_BEGIN
    UVA_AWAIT(r, uva_open_connection, &self->opening, HOST, self->port, NULL,
              &self->reader, &self->writer);
    if (r < 0) {
        return r;
    }
    self->status = uva_writer_printf(self->writer, PAGE_REQUEST, self->number);
    if (self->status >= 0) {
        UVA_AWAIT(self->status, uva_reader_read_all, self->reader, UVA_NO_LIMIT,
                  &self->answer);
    }
    UVA_AWAIT(r, uva_connection_close, self->reader, self->writer);
    *ret = page_is_good(self->number, self->answer.data, self->answer.size);
    uva_buffer_clear(&self->answer);
    UVA_END
    return self->status;
}

UVA_STACKLESS(int, crawl, const char *port; fetch_task_t * tasks[PAGE_COUNT];
              int good[PAGE_COUNT];
              uva_gather_op_t gathering;)
{
    int r;
    UVA_BEGIN
    for (int i = 0; i < PAGE_COUNT; i++) {
        self->tasks[i] = uva_spawn(fetch, .number = i, .port = self->port);
    }
    UVA_AWAIT(r, fetch_gather, &self->gathering, self->tasks, PAGE_COUNT, 0,
              NULL, self->good);
    for (int i = 0; i < PAGE_COUNT && r >= 0; i++) {
        *ret += self->good[i];
    }
    UVA_END
    return r;
}

int main(int argc, char **argv)
{
    int good_count = 0;

    if (argc != 2) {
        return 1;
    }
    int r = uva_run_task(crawl, NULL, &good_count, .port = argv[1]);
    if (r < 0) {
        fprintf(stderr, "crawl: %s\n", uva_strerror(r));
    }
    return crawl_status(good_count);
}
