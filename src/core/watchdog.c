/*
 * Watchdogs: which step blocks a loop, where, and for how long.
 *
 * The watcher interrupts the loop's thread while a turn lasts. The handler
 * looks at what the loop keeps anyway, in the loop's own thread, so a step
 * costs nothing more and nothing is shared but the counter of turns:
 *
 *   first look   the step is noted
 *   later        another step: it is noted instead; the same one, for as long
 *                as the threshold: it is found, its calls are stored
 *   end of turn  what was found is told, if its place was not told before
 *
 * Invariant: in a turn the handler alone writes what is noted and found, after
 * it the loop alone. The handler calls nothing but the clock and the unwinder.
 */
#include "core/watchdog.h"

#include <errno.h>
#include <signal.h>

#include "uva/tasks.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/format.h"
#include "core/debug.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/watcher.h"
#include "stack/frames.h"
#include "stack/overflow.h"
#include "stack/slot.h"

#define WATCHDOG_LEAST_NS   1000000u
#define WATCHDOG_TEXT_BYTES 800u /* Of the calls in a report. */
#define WATCHDOG_WHAT_BYTES 256u

_Atomic(uva__watchdog_found_cb) uva__watchdog_on_found;

/* --- in the handler --- */

/* Where the frames of the running step end. */
static uintptr_t watchdog_end(const uva__watchdog_t *dog, uva_task_t *task)
{
    if (task == NULL || uva__task_stackless(task)) {
        return dog->end;
    }
    return (uintptr_t)uva__stack_top(
        UVA__CONTAINER_OF(uva__task_flow(task), uva__stack_t, context));
}

/* Copy the name that a task has; none is made up. */
static void watchdog_copy_name(uva__watchdog_found_t *found,
                               const uva_task_t *task)
{
    const uva__extra_t *extra = task->extra;
    const char *name = extra == NULL || extra->name == NULL ? "" : extra->name;
    size_t size = 0;

    while (size < sizeof found->name - 1 && name[size] != '\0') {
        found->name[size] = name[size];
        size++;
    }
    found->name[size] = '\0';
}

static void watchdog_find(uva__watchdog_t *dog, uva_task_t *task)
{
    uva__watchdog_found_t *found = &dog->found[dog->found_count];
    uva__watchdog_found_cb on_found = atomic_load(&uva__watchdog_on_found);

    found->task = task;
    found->function = NULL;
    found->name[0] = '\0';
    if (task != NULL) {
        found->function = uva__task_function(task);
        watchdog_copy_name(found, task);
    }
    found->begin_ns = dog->begin_ns;
    found->frame_count = uva__frames_take(found->frames, UVA__WATCHDOG_FRAMES,
                                          watchdog_end(dog, task));
    dog->found_count++;
    dog->found_noted = true;
    if (on_found != NULL) {
        on_found();
    }
}

/* A step that is seen first has begun after the last poll round, unless another
 * one was seen in this round. What was found is over then. */
static void watchdog_note(uva_loop_t *loop,
                          const uva__watchdog_step_t *step,
                          uint64_t now_ns)
{
    uva__watchdog_t *dog = loop->debug.watchdog;
    bool first = dog->noted.turn != step->turn ||
                 dog->noted_round_ns != loop->turn.round_ns;

    if (dog->found_noted) {
        dog->found[dog->found_count - 1].end_ns = now_ns;
        dog->found_noted = false;
    }
    dog->begin_ns = first ? loop->turn.round_ns : now_ns;
    dog->noted = *step;
    dog->noted_ns = now_ns;
    dog->noted_round_ns = loop->turn.round_ns;
}

/* The looks are half a threshold apart: a step that was there at two of them
 * has taken so long at least, whatever else ran in the round. A quarter leaves
 * room for signals that arrive late. */
void uva__watchdog_see(uva_loop_t *loop, uint64_t now_ns)
{
    uva__watchdog_t *dog = loop->debug.watchdog;
    uva__watchdog_step_t step;

    if (dog == NULL || (dog->turn & 1u) == 0) {
        return;
    }
    step.turn = dog->turn;
    step.budget = loop->ready.budget;
    step.iterations = loop->ready.iterations;
    step.task = loop->step.current;
    if (dog->noted.turn != step.turn || dog->noted.budget != step.budget ||
        dog->noted.iterations != step.iterations ||
        dog->noted.task != step.task) {
        watchdog_note(loop, &step, now_ns);
        return;
    }
    if (!dog->found_noted && dog->found_count < UVA__WATCHDOG_FOUND &&
        now_ns - dog->begin_ns >= dog->threshold_ns &&
        now_ns - dog->noted_ns >= dog->threshold_ns / 4) {
        watchdog_find(dog, loop->step.current);
    }
}

static void watchdog_handle(int signal_number)
{
    int saved_errno = errno;

    (void)signal_number;
    uva__watchdog_see(uva__here, uva__clock_ns());
    errno = saved_errno;
}

/* --- the report --- */

/* FNV-1a over the calls and the task's function. The innermost call is left
 * out if there are others, as a busy function is interrupted anywhere. */
static uint64_t watchdog_key(const uva__watchdog_found_t *found)
{
    uint64_t key = 14695981039346656037u;

    key = (key ^ (uintptr_t)found->function) * 1099511628211u;
    for (size_t i = found->frame_count > 1; i < found->frame_count; i++) {
        key = (key ^ found->frames[i]) * 1099511628211u;
    }
    return key;
}

/* Count what was found. @return Whether its place is a new one. */
static bool watchdog_count(uva__watchdog_t *dog,
                           const uva__watchdog_found_t *found)
{
    uint64_t took_ns = found->end_ns - found->begin_ns;
    uint64_t key = watchdog_key(found);
    uva__watchdog_place_t *place = dog->places;
    uva__watchdog_place_t *end = dog->places + dog->place_count;

    while (place < end && place->key != key) {
        place++;
    }
    if (place == end) {
        if (dog->place_count == UVA__WATCHDOG_PLACES) {
            return false;
        }
        dog->place_count++;
        place->key = key;
        place->told.function = found->function;
        place->told.address = found->frame_count == 0 ? 0 : found->frames[0];
    }
    place->told.count++;
    if (took_ns > place->told.longest_ns) {
        place->told.longest_ns = took_ns;
    }
    return place->told.count == 1;
}

/* Write what has blocked. The name of the task is what the handler has copied,
 * or, if there was none, what is made up here, unless the task has ended. */
static void watchdog_describe(char *text,
                              size_t size,
                              uva_loop_t *loop,
                              const uva__watchdog_found_t *found)
{
    const char *name = found->name;

    if (found->task == NULL) {
        (void)uva__format(text, size, "a callback");
        return;
    }
    UVA__LIST_FOREACH (task, &loop->tasks.all, uva_task_t, link) {
        if (task == found->task && name[0] == '\0') {
            name = uva_task_get_name(task);
        }
    }
    if (name[0] != '\0') {
        uva__debug_describe_step(text, size, name, found->function);
    } else {
        (void)uva__format(text, size, "a step of a task (function %s)",
                          found->function);
    }
}

static void watchdog_tell(uva_loop_t *loop, const uva__watchdog_found_t *found)
{
    char what[WATCHDOG_WHAT_BYTES];
    char trace[WATCHDOG_TEXT_BYTES];

    watchdog_describe(what, sizeof what, loop, found);
    (void)uva__frames_describe(trace, sizeof trace, found->frames,
                               found->frame_count);
    uva__debug_tell_slow(what, found->end_ns - found->begin_ns, trace);
}

/* The log's hook is code of users, which may also end the watchdog: what is to
 * be told is copied before. */
static void watchdog_report(uva__watchdog_t *dog)
{
    uva_loop_t *loop = dog->loop;
    uva__watchdog_found_t told[UVA__WATCHDOG_FOUND];
    size_t count = 0;

    if (dog->found_noted) {
        dog->found[dog->found_count - 1].end_ns = uva__clock_ns();
        dog->found_noted = false;
    }
    for (size_t i = 0; i < dog->found_count; i++) {
        if (watchdog_count(dog, &dog->found[i])) {
            told[count++] = dog->found[i];
        }
    }
    dog->found_count = 0;
    for (size_t i = 0; i < count; i++) {
        watchdog_tell(loop, &told[i]);
    }
}

/* --- turns --- */

/* The end of a turn. */
static void watchdog_leave(uva__flush_t *flush)
{
    uva__watchdog_t *dog = UVA__CONTAINER_OF(flush, uva__watchdog_t, flush);
    unsigned turn = atomic_load_explicit(&dog->turn, memory_order_relaxed);

    atomic_store_explicit(&dog->turn, turn + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (UVA__UNLIKELY(dog->found_count > 0)) {
        watchdog_report(dog);
    }
}

/* A flush that is queued means that the turn has begun. */
static void watchdog_enter(uva__watchdog_t *dog, uintptr_t end)
{
    if (!uva__list_linked(&dog->flush.link)) {
        unsigned turn = atomic_load_explicit(&dog->turn, memory_order_relaxed);

        uva__list_append(&dog->loop->turn.flushes, &dog->flush.link);
        dog->end = end;
        atomic_store_explicit(&dog->turn, turn + 1, memory_order_relaxed);
    }
}

/* What the turn calls has its frames where this function has its own. */
UVA__NOINLINE void uva__watchdog_enter(uva_loop_t *loop)
{
    watchdog_enter(loop->debug.watchdog, (uintptr_t)__builtin_frame_address(0));
}

/* --- setting and ending --- */

/* Whether a signal can be the watcher's: the system lets it be caught, which
 * the watcher finds out, and this thread takes it. */
static bool watchdog_signal_ok(int signal_number)
{
    sigset_t blocked;

    return signal_number > 0 &&
           pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0 &&
           sigismember(&blocked, signal_number) == 0;
}

static int
watchdog_begin(uva_loop_t *loop, uint64_t threshold_ns, int signal_number)
{
    uva__watchdog_t *dog;
    uintptr_t frame;
    int r = uva__thread_signal(uva__thread_number(), 0);

    if (r < 0) {
        return UV_ENOTSUP;
    }
    dog = uva__calloc(1, sizeof *dog);
    if (dog == NULL) {
        return UV_ENOMEM;
    }
    dog->loop = loop;
    dog->flush.run = watchdog_leave;
    dog->threshold_ns = threshold_ns;
    /* The handler needs more stack than a small task may have left. */
    r = uva__overflow_thread_init();
    if (r < 0) {
        goto free_dog;
    }
    dog->stack_thread = uva__thread_number();
    /* The first call may load a library, which the handler may not. */
    (void)uva__frames_take(&frame, 1, 0);
    atomic_store(&loop->debug.thread_number, (unsigned)uva__thread_number());
    r = uva__watcher_add(loop, dog, signal_number, watchdog_handle);
    if (r >= 0) {
        if (loop->step.current != NULL) { /* The rest of its step, too. */
            watchdog_enter(dog, UINTPTR_MAX);
        }
        return r;
    }
    uva__overflow_thread_exit();
free_dog:
    uva__free(dog);
    return r;
}

int uva_loop_set_watchdog(uva_loop_t *loop,
                          uint64_t threshold_ns,
                          int signal_number)
{
    int r = loop == NULL ? UVA_ENOLOOP : uva__loop_refuses(loop, __func__);

    if (r < 0) {
        return uva__bare(r);
    }
    if (threshold_ns == 0) {
        uva__watchdog_end(loop);
        return 0;
    }
    if (loop->driver.ops->uv(loop) == NULL) {
        return uva__bare(UV_ENOTSUP);
    }
    if (signal_number == 0) {
        signal_number = SIGURG;
    }
    if (threshold_ns < WATCHDOG_LEAST_NS) {
        threshold_ns = WATCHDOG_LEAST_NS;
    }
    if (!watchdog_signal_ok(signal_number)) {
        return uva__bare(UV_EINVAL);
    }
    if (loop->debug.watchdog != NULL &&
        !uva__watcher_has(loop->debug.watchdog)) {
        uva__watchdog_end(loop); /* The parent's. */
    }
    r = loop->debug.watchdog == NULL
            ? watchdog_begin(loop, threshold_ns, signal_number)
            : uva__watcher_change(loop->debug.watchdog, threshold_ns,
                                  signal_number);
    return r < 0 ? uva__bare(r) : 0;
}

/* The alternate stack is another thread's if the loop has moved: it stays. */
void uva__watchdog_end(uva_loop_t *loop)
{
    uva__watchdog_t *dog = uva__watcher_remove(loop);

    if (dog == NULL) {
        return;
    }
    uva__list_remove(&dog->flush.link);
    if (dog->stack_thread == uva__thread_number()) {
        uva__overflow_thread_exit();
    }
    uva__free(dog);
}

size_t uva_loop_blocking_places(const uva_loop_t *loop,
                                uva_blocking_place_t *places,
                                size_t count)
{
    const uva__watchdog_t *dog =
        uva__loop_owned(loop) ? loop->debug.watchdog : NULL;
    size_t found = dog == NULL ? 0 : dog->place_count;

    for (size_t i = 0; i < found && i < count; i++) {
        places[i] = dog->places[i].told;
    }
    return found;
}
