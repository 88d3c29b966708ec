/*
 * A bounded queue: one producer, one consumer.
 */
#include "uva_bench.h"

UVA_TASK(int, producer, uva_queue_t *queue; int64_t count;)
{
    for (int64_t i = 0; i < args->count; i++) {
        int r = uva_queue_put(args->queue, args->queue);
        if (r < 0) {
            return r;
        }
    }
    *ret = 0;
    return 0;
}

UVA_TASK(int, consumer, uva_queue_t *queue; int64_t count;)
{
    for (int64_t i = 0; i < args->count; i++) {
        void *item;
        int r = uva_queue_get(args->queue, &item);
        if (r < 0) {
            return r;
        }
    }
    *ret = 0;
    return 0;
}

UVA_STACKLESS(int, producer_s, uva_queue_t *queue; int64_t count; int64_t i;)
{
    int r;

    UVA_BEGIN
    for (self->i = 0; self->i < self->count; self->i++) {
        UVA_AWAIT(r, uva_queue_put, self->queue, self->queue);
        if (r < 0) {
            return r;
        }
    }
    UVA_END
    return 0;
}

UVA_STACKLESS(int, consumer_s, uva_queue_t *queue; int64_t count; int64_t i;
              void *item;)
{
    int r;

    UVA_BEGIN
    for (self->i = 0; self->i < self->count; self->i++) {
        UVA_AWAIT(r, uva_queue_get, self->queue, &self->item);
        if (r < 0) {
            return r;
        }
    }
    UVA_END
    return 0;
}

UVA_TASK(int, chan_main, int64_t count; int64_t capacity;)
{
    uva_queue_t queue = UVA_QUEUE_INIT((size_t)args->capacity);
    uva_future_t *ends[2];
    int r;

    if (bench_stackless) {
        ends[0] = UVA_FUTURE(
            uva_spawn(producer_s, .queue = &queue, .count = args->count));
        ends[1] = UVA_FUTURE(
            uva_spawn(consumer_s, .queue = &queue, .count = args->count));
    } else {
        ends[0] = UVA_FUTURE(
            uva_spawn(producer, .queue = &queue, .count = args->count));
        ends[1] = UVA_FUTURE(
            uva_spawn(consumer, .queue = &queue, .count = args->count));
    }
    r = uva_gather(UVA_FUTURES(ends), 2, 0, NULL);
    uva_queue_destroy(&queue);
    *ret = r;
    return r;
}

void bench_chan(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 10000000);
    int64_t capacity = bench_arg(argc, argv, 2, 1);
    char name[32];
    bench_mark_t mark = bench_begin();

    bench_check(uva_run_task(chan_main, NULL, NULL, .count = count,
                             .capacity = capacity),
                "chan");
    snprintf(name, sizeof name, "chan%d", (int)capacity);
    bench_end(mark, name, bench_peer(), (double)count);
}
