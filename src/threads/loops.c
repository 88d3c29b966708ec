/*
 * Loops in threads.
 *
 *   a thread           reports        then
 *   makes its loop     begun, code    runs it until its promise "end" is done
 *   drains, shuts down ended, left    is joined, or detached if it is too late
 *
 * Invariant: a loop is made, run and ended in its own thread. Other threads
 * reach it by its promise alone, so to stop loops needs no memory. The threads
 * and the jobs that were placed keep the memory of the whole.
 */
#include "threads/loops.h"

#include <limits.h>

#include "base/alloc.h"
#include "base/format.h"
#include "base/list.h"
#include "base/log.h"
#include "base/util.h"
#include "core/loop.h"
#include "core/owner.h"
#include "threads/promises.h"

#define LOOPS_MOST        1024u
#define LOOPS_PATIENCE_NS 2000000000u /* For threads that do not come back. */

typedef uva__loops_place_t place_t;

/* --- memory --- */

void uva__loops_drop(uva_loops_t *loops)
{
    if (atomic_fetch_sub_explicit(&loops->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (unsigned i = 0; i < loops->started_count; i++) {
        place_t *place = &loops->places[i];

        if (!place->lost) {
            uva_promise_unref(place->end);
            uva_loop_unref(place->loop);
        }
    }
    uv_cond_destroy(&loops->changed);
    uv_mutex_destroy(&loops->mutex);
    uva__free(loops);
}

void uva__loops_hold(uva_loops_t *loops)
{
    atomic_fetch_add_explicit(&loops->refs, 1, memory_order_relaxed);
}

/* @return NULL without memory. */
static uva_loops_t *loops_new(const uva_loops_options_t *options)
{
    uva_loops_t *loops =
        uva__calloc(1, sizeof *loops + options->count * sizeof(place_t));

    if (loops == NULL) {
        return NULL;
    }
    if (uv_mutex_init(&loops->mutex) < 0) {
        goto free_loops;
    }
    if (uv_cond_init(&loops->changed) < 0) {
        goto destroy_mutex;
    }
    atomic_init(&loops->users, 1);
    atomic_init(&loops->refs, 1);
    loops->options = *options;
    (void)uva__format(loops->name, sizeof loops->name, "%s", options->name);
    for (unsigned i = 0; i < options->count; i++) {
        loops->places[i].loops = loops;
        loops->places[i].index = i;
        uva__list_init(&loops->places[i].kept);
    }
    return loops;
destroy_mutex:
    uv_mutex_destroy(&loops->mutex);
free_loops:
    uva__free(loops);
    return NULL;
}

/* --- in the thread of a loop --- */

static void place_stop(uva_future_t *future, void *data)
{
    (void)future;
    uva_loop_stop(data);
}

/* Make the loop, and what stops it. */
static int place_make(place_t *place)
{
    uva_loop_t *loop;
    int r = uva_loop_new(place->loops->options.loop, &loop);

    if (r < 0) {
        return r;
    }
    place->loop = loop;
    place->end = uva__promise_new(loop);
    r = uva_future_add_done_callback(uva_promise_future(place->end), place_stop,
                                     loop, NULL);
    if (r < 0) {
        (void)uva_promise_set_result(place->end, NULL, NULL);
        UVA_IGNORE(uva_loop_detach(loop));
    }
    return r;
}

/* Run the loop until its promise is completed; a task that stops it before is
 * in vain. */
static void place_run(place_t *place)
{
    const uva_future_t *end = uva_promise_future(place->end);
    int r = 0;

    while (r >= 0 && !uva_future_done(end)) {
        r = uva_loop_run_forever(place->loop);
    }
}

/* Run it until a task that ends something is done. */
static void place_run_drain(place_t *place, uva_task_t *task)
{
    int r;

    do {
        r = uva_loop_run_until_complete(place->loop, UVA_FUTURE(task), NULL);
    } while (r == UV_EPERM && !uva_future_done(UVA_FUTURE(task)));
}

/* End what ends by itself, all of it at the same time: each has a task. What
 * has none without memory is cut off with the loop. */
static void place_drain(place_t *place)
{
    UVA__LIST_FOREACH_SAFE(kept, &place->kept, uva__loops_kept_t, link)
    {
        kept->grace_ns = place->loops->grace_ns;
        kept->task = uva_loop_create_task(place->loop, kept->drain, kept, NULL);
    }
    while (!uva__list_empty(&place->kept)) {
        uva__loops_kept_t *kept =
            UVA__LIST_FIRST(&place->kept, uva__loops_kept_t, link);

        if (kept->task != NULL) {
            place_run_drain(place, kept->task);
        }
        kept->task = uva_task_unref(kept->task);
        uva__list_remove(&kept->link);
        kept->free(kept);
    }
}

/* Cancel the tasks, wait, close. @return How many tasks did not end in time. */
static size_t place_end(place_t *place)
{
    uva_shutdown_options_t options = UVA_SHUTDOWN_OPTIONS_INIT;
    uint64_t grace_ns = place->loops->grace_ns;
    size_t left_count;

    options.timeout_ns = grace_ns == UVA_FOREVER ? 0
                         : grace_ns == 0         ? 1
                                                 : grace_ns;
    if (uva_loop_shutdown(place->loop, &options) >= 0) {
        return 0;
    }
    left_count = place->loop->tasks.count;
    place->lost = uva_loop_detach(place->loop) < 0;
    return left_count;
}

static void place_thread(void *data)
{
    place_t *place = data;
    uva_loops_t *loops = place->loops;
    char name[UVA__LOOPS_NAME_BYTES];
    size_t left_count = 0;
    int r;

    (void)uva__format(name, sizeof name, "%s_%u", loops->name, place->index);
    uva__thread_name(name);
    if (loops->options.pin) {
        uva__thread_pin(place->index);
    }
    r = place_make(place);
    uv_mutex_lock(&loops->mutex);
    place->code = r;
    loops->begun_count++;
    uv_cond_broadcast(&loops->changed);
    uv_mutex_unlock(&loops->mutex);
    if (r >= 0) {
        place_run(place);
        place_drain(place);
        left_count = place_end(place);
    }
    uv_mutex_lock(&loops->mutex);
    place->left_count = left_count;
    place->ended = true;
    loops->live_count--;
    uv_cond_broadcast(&loops->changed);
    uv_mutex_unlock(&loops->mutex);
    uva__loops_drop(loops);
}

int uva__loops_keep(uva_loops_t *loops,
                    unsigned index,
                    uva__loops_kept_t *take_kept)
{
    bool stopping;

    uv_mutex_lock(&loops->mutex);
    stopping = loops->stopping;
    if (!stopping) {
        uva__list_append(&loops->places[index].kept, &take_kept->link);
    }
    uv_mutex_unlock(&loops->mutex);
    return stopping ? UV_ECANCELED : 0;
}

void uva__loops_let_go(uva__loops_kept_t *kept)
{
    uva__list_remove(&kept->link);
}

/* --- stopping --- */

/* Let each thread end. */
static void loops_end(uva_loops_t *loops)
{
    for (unsigned i = 0; i < loops->started_count; i++) {
        if (loops->places[i].code >= 0) {
            (void)uva_promise_set_result(loops->places[i].end, NULL, NULL);
        }
    }
}

/* Wait until all threads have ended, or the graces and the patience are over.
 * With the mutex. */
static void loops_wait(uva_loops_t *loops)
{
    bool forever = loops->grace_ns > INT64_MAX / 8;
    uint64_t end_ns = uv_hrtime() + 2 * loops->grace_ns + LOOPS_PATIENCE_NS;

    while (loops->live_count > 0) {
        uint64_t now_ns = uv_hrtime();

        if (forever) {
            uv_cond_wait(&loops->changed, &loops->mutex);
        } else if (now_ns < end_ns) {
            (void)uv_cond_timedwait(&loops->changed, &loops->mutex,
                                    end_ns - now_ns);
        } else {
            return;
        }
    }
}

/* Join the threads that have ended, and let the others go. @return How many
 * tasks did not end. */
static int loops_join(uva_loops_t *loops)
{
    size_t left_count = 0;

    for (unsigned i = 0; i < loops->started_count; i++) {
        place_t *place = &loops->places[i];
        bool ended;

        uv_mutex_lock(&loops->mutex);
        ended = place->ended;
        left_count += ended ? place->left_count : 1;
        uv_mutex_unlock(&loops->mutex);
        if (ended) {
            uva__thread_end(&place->thread);
        } else {
            uva__thread_detach(&place->thread);
            uva__log(UVA_LOG_WARNING,
                     "a task does not let thread %s_%u go: the stop of the "
                     "loops leaves it behind",
                     loops->name, i);
        }
    }
    return left_count < INT_MAX ? (int)left_count : INT_MAX;
}

int uva_loops_stop(uva_loops_t *loops, uint64_t grace_ns)
{
    bool stopping;

    if (loops == NULL) {
        return uva__bare(UV_EINVAL);
    }
    if (uva__running() != NULL) {
        return uva__bare(UVA_EDEADLOCK);
    }
    if (loops->places[0].loop->driver.forked) {
        return uva__bare(UVA_EFORKED);
    }
    uv_mutex_lock(&loops->mutex);
    stopping = loops->stopping;
    if (!stopping) {
        loops->stopping = true;
        loops->grace_ns = grace_ns;
    }
    uv_mutex_unlock(&loops->mutex);
    if (stopping) {
        return uva__bare(UV_EPERM);
    }
    loops_end(loops);
    uv_mutex_lock(&loops->mutex);
    loops_wait(loops);
    uv_mutex_unlock(&loops->mutex);
    return loops_join(loops);
}

/* --- starting --- */

static int loops_start_thread(uva_loops_t *loops)
{
    place_t *place = &loops->places[loops->started_count];
    int r;

    uv_mutex_lock(&loops->mutex);
    r = uva__thread_start(&place->thread, loops->options.stack_bytes,
                          place_thread, place);
    if (r >= 0) {
        loops->started_count++;
        loops->live_count++;
        uva__loops_hold(loops);
    }
    uv_mutex_unlock(&loops->mutex);
    return r;
}

/* Start the threads, and wait until each has made its loop, or failed to. If
 * any fails, all end. */
static int loops_begin(uva_loops_t *loops)
{
    int r = 0;

    while (r >= 0 && loops->started_count < loops->options.count) {
        r = loops_start_thread(loops);
    }
    uv_mutex_lock(&loops->mutex);
    while (loops->begun_count < loops->started_count) {
        uv_cond_wait(&loops->changed, &loops->mutex);
    }
    for (unsigned i = 0; i < loops->started_count && r >= 0; i++) {
        r = loops->places[i].code;
    }
    loops->stopping = r < 0;
    uv_mutex_unlock(&loops->mutex);
    if (r < 0) {
        loops->grace_ns = UVA_FOREVER; /* There are no tasks. */
        loops_end(loops);
        uv_mutex_lock(&loops->mutex);
        loops_wait(loops);
        uv_mutex_unlock(&loops->mutex);
        (void)loops_join(loops);
    }
    return r;
}

int uva_loops_start(const uva_loops_options_t *options, uva_loops_t **ret_loops)
{
    uva_loops_options_t own = UVA_LOOPS_OPTIONS_INIT;
    uva_loops_t *loops;
    int r;

    if (options != NULL) {
        if (options->size < sizeof *options || options->count > LOOPS_MOST) {
            return uva__bare(UV_EINVAL);
        }
        own = *options;
    }
    if (own.count == 0) {
        own.count = uva__cpu_count();
        own.count = own.count < LOOPS_MOST ? own.count : LOOPS_MOST;
    }
    if (own.name == NULL) {
        own.name = "uva-loop";
    }
    loops = loops_new(&own);
    if (loops == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = loops_begin(loops);
    if (r < 0) {
        uva__loops_drop(loops);
        return r;
    }
    *ret_loops = loops;
    return 0;
}

/* --- references, and what is there --- */

uva_loops_t *uva_loops_ref(uva_loops_t *loops)
{
    if (loops != NULL) {
        atomic_fetch_add_explicit(&loops->users, 1, memory_order_relaxed);
    }
    return loops;
}

/* The threads end by themselves, whichever of them this is called in. In the
 * child of a fork they are not there. */
static void loops_abandon(uva_loops_t *loops)
{
    uva__log(UVA_LOG_WARNING, "loops in threads were not stopped");
    uv_mutex_lock(&loops->mutex);
    loops->stopping = true;
    loops->grace_ns = 0;
    uv_mutex_unlock(&loops->mutex);
    for (unsigned i = 0; i < loops->started_count; i++) {
        uva__thread_detach(&loops->places[i].thread);
    }
    loops_end(loops);
}

uva_loops_t *uva_loops_unref(uva_loops_t *loops)
{
    if (loops == NULL ||
        atomic_fetch_sub_explicit(&loops->users, 1, memory_order_acq_rel) > 1) {
        return NULL;
    }
    if (!loops->stopping && !loops->places[0].loop->driver.forked) {
        loops_abandon(loops);
    }
    uva__loops_drop(loops);
    return NULL;
}

unsigned uva_loops_count(const uva_loops_t *loops)
{
    return loops == NULL ? 0 : loops->started_count;
}

uva_loop_t *uva_loops_get(const uva_loops_t *loops, unsigned index)
{
    return index < uva_loops_count(loops) ? loops->places[index].loop : NULL;
}
