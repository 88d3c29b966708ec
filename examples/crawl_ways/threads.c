/*
 * A thread for each page: as with processes, but all threads see the same
 * memory. So results come back without a pipe, and two threads must never touch
 * the same object at the same time. Here each thread has an object of its own,
 * which main reads when the thread has ended.
 */
#include "crawl.h"

#include <pthread.h>

typedef struct fetcher_s {
    pthread_t thread;
    int number;
    const char *port;
    bool is_good;
} fetcher_t;

static void *fetcher_main(void *data)
{
    fetcher_t *self = data;

    self->is_good = page_fetch(self->number, self->port);
    return NULL;
}

int main(int argc, char **argv)
{
    fetcher_t fetchers[PAGE_COUNT];
    int good_count = 0;

    if (argc != 2) {
        return 1;
    }
    for (int i = 0; i < PAGE_COUNT; i++) {
        fetchers[i].number = i;
        fetchers[i].port = argv[1];
        if (pthread_create(&fetchers[i].thread, NULL, fetcher_main,
                           &fetchers[i]) != 0) {
            die("pthread_create");
        }
    }
    for (int i = 0; i < PAGE_COUNT; i++) {
        pthread_join(fetchers[i].thread, NULL);
        good_count += fetchers[i].is_good;
    }
    return crawl_status(good_count);
}
