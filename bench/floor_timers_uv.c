/*
 * The floor of timers with libuv: a uv_timer_t each, a callback that notes when
 * it ran.
 *
 *     floor_timers_uv [COUNT]
 */
#include <uv.h>

#include "bench.h"

typedef struct nap_s {
    uv_timer_t timer;
    int64_t due;
} nap_t;

static int64_t *late;
static int64_t done;

static void on_timer(uv_timer_t *timer)
{
    const nap_t *nap = (const nap_t *)timer;

    late[done++] = bench_wall() - nap->due;
}

int main(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 100000);
    nap_t *naps = calloc((size_t)count, sizeof *naps);
    uv_loop_t *loop = uv_default_loop();
    bench_mark_t mark;

    late = calloc((size_t)count, sizeof *late);
    mark = bench_begin();
    for (int64_t i = 0; i < count; i++) {
        int64_t delay_ns = bench_delay();
        /* libuv counts from the time that the loop has in mind. */
        if (i % 1024 == 0) {
            uv_update_time(loop);
        }
        uv_timer_init(loop, &naps[i].timer);
        naps[i].due = bench_wall() + delay_ns;
        uv_timer_start(&naps[i].timer, on_timer,
                       (uint64_t)(delay_ns + 999999) / 1000000, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    bench_timers("timers", "floor-libuv", count, late, mark);
    free(naps);
    free(late);
    return 0;
}
