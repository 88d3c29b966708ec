/*
 * Jobs of loops in threads: which loop gets one, and a look at each loop.
 *
 * Invariant: a job that was placed keeps the memory of the loops, and counts at
 * its place, until it is done.
 */
#include "uva/threads.h"

#include "base/alloc.h"
#include "base/util.h"
#include "core/owner.h"
#include "threads/jobs.h"
#include "threads/loops.h"

/* A job that counts among those of its place until it is done. */
typedef struct placed_s {
    uva__job_watch_t watch;
    uva__loops_place_t *place; /* Its loops are held. */
} placed_t;

static void placed_done(uva__job_watch_t *watch, uva_job_t *job)
{
    placed_t *own = UVA__CONTAINER_OF(watch, placed_t, watch);
    uva_loops_t *loops = own->place->loops;

    (void)job;
    atomic_fetch_sub_explicit(&own->place->placed, 1, memory_order_relaxed);
    uva__free(own);
    uva__loops_drop(loops);
}

static size_t place_load(uva__loops_place_t *place)
{
    return atomic_load_explicit(&place->placed, memory_order_relaxed);
}

/* @return NULL if there is no such place. */
static uva__loops_place_t *loops_find(uva_loops_t *loops, int where)
{
    unsigned count = uva_loops_count(loops);
    uva__loops_place_t *least;

    if (where >= 0 || count == 0) {
        return where >= 0 && (unsigned)where < count ? &loops->places[where]
                                                     : NULL;
    }
    if (where == UVA_LOOP_NEXT) {
        return &loops->places[atomic_fetch_add(&loops->next, 1) % count];
    }
    if (where != UVA_LOOP_LEAST) {
        return NULL;
    }
    least = &loops->places[0];
    for (unsigned i = 1; i < count; i++) {
        if (place_load(&loops->places[i]) < place_load(least)) {
            least = &loops->places[i];
        }
    }
    return least;
}

uva_job_t *uva_run_on_loops(uva_loops_t *loops,
                            int where,
                            uva_coro_cb body,
                            void *arg,
                            const uva_job_options_t *options)
{
    uva__loops_place_t *place = loops_find(loops, where);
    placed_t *own;
    uva_job_t *job;

    if (place == NULL) {
        return uva_run_coroutine_threadsafe(NULL, body, arg, options);
    }
    own = uva__calloc(1, sizeof *own);
    if (own == NULL) {
        if (options != NULL && options->size >= sizeof *options &&
            options->destroy != NULL) {
            options->destroy(arg);
        }
        return NULL;
    }
    own->watch.done = placed_done;
    own->place = place;
    uva__loops_hold(loops);
    atomic_fetch_add_explicit(&place->placed, 1, memory_order_relaxed);
    job = uva_run_coroutine_threadsafe(place->loop, body, arg, options);
    if (job == NULL || !uva__job_watch(job, &own->watch)) {
        placed_done(&own->watch, job);
    }
    return job;
}

/* --- statistics --- */

/* The task that looks is not among those that it counts. */
static int stats_body(void *arg, void **ret_result)
{
    uva_loop_stats_t *stats = uva__calloc(1, sizeof *stats);
    int r;

    (void)arg;
    if (stats == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    stats->size = sizeof *stats;
    r = uva_loop_get_stats(uva__running(), stats);
    stats->tasks--;
    *ret_result = stats;
    return r;
}

int uva_loops_get_stats(uva_loops_t *loops,
                        unsigned index,
                        uint64_t timeout_ns,
                        uva_loop_stats_t *ret_stats)
{
    uva_loop_t *loop = uva_loops_get(loops, index);
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    void *stats;
    uva_job_t *job;
    int r;

    if (loop == NULL || ret_stats->size < sizeof *ret_stats) {
        return uva__bare(loop == NULL ? UVA_ENOLOOP : UV_EINVAL);
    }
    if (loop == uva__running()) {
        return uva_loop_get_stats(loop, ret_stats);
    }
    options.result_destroy = uva__free;
    job = uva_run_coroutine_threadsafe(loop, stats_body, NULL, &options);
    r = uva_job_result(job, timeout_ns, &stats);
    if (r >= 0) {
        *ret_stats = *(const uva_loop_stats_t *)stats;
    } else {
        (void)uva_job_cancel(job);
    }
    uva_job_unref(job);
    return r;
}
