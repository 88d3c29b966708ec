/*
 * uva, stackful: a task has a stack of its own, so it can wait in any function
 * and its locals stay. The code reads as that of one page after another, but a
 * call that waits suspends its task and not the thread.
 */
#include "crawl.h"

#include <uva.h>

UVA_TASK(int, fetch, int number; const char *port;)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_buffer_t answer;

    int r = uva_open_connection(HOST, args->port, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    r = uva_writer_printf(writer, PAGE_REQUEST, args->number);
    if (r >= 0) {
        r = uva_reader_read_all(reader, UVA_NO_LIMIT, &answer);
    }
    uva_connection_close(reader, writer);
    if (r < 0) {
        return r;
    }
    *ret = page_is_good(args->number, answer.data, answer.size);
    uva_buffer_clear(&answer);
    return 0;
}

UVA_TASK(int, crawl, const char *port;)
{
    fetch_task_t *tasks[PAGE_COUNT];
    int good[PAGE_COUNT];

    for (int i = 0; i < PAGE_COUNT; i++) {
        tasks[i] = uva_spawn(fetch, .number = i, .port = args->port);
    }
    int r = fetch_gather(tasks, PAGE_COUNT, 0, NULL, good);
    for (int i = 0; i < PAGE_COUNT && r >= 0; i++) {
        *ret += good[i];
    }
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
