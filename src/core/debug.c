/*
 * Debug mode (asyncio.base_events, slow callbacks), and stack high-water marks.
 *
 * Invariant: nothing here changes what runs or when.
 */
#include "core/debug.h"

#include <stdlib.h>
#include <string.h>

#include "uva/coroutines.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "core/futures.h"
#include "core/lent_args.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "stack/trim.h"

#define NS_PER_US        1000u
#define DEBUG_WHAT_BYTES 512u

/* asyncio: coroutines.py, _is_debug_mode, with PYTHONASYNCIODEBUG. */
bool uva__debug_from_environment(void)
{
    const char *value = getenv("UVA_DEBUG");

    return value != NULL && *value != '\0' && strcmp(value, "0") != 0;
}

/* --- slow steps --- */

/* asyncio: base_events.py, _run_once: "Executing %s took %.3f seconds". */
void uva__debug_tell_slow(const char *what, uint64_t took_ns, const char *trace)
{
    unsigned long long us = took_ns / NS_PER_US;

    uva__log(UVA_LOG_WARNING, "executing %s took %llu.%06llu seconds%s", what,
             us / 1000000u, us % 1000000u, trace);
}

void uva__debug_describe_step(char *text,
                              size_t size,
                              const char *name,
                              const char *function)
{
    (void)uva__format(text, size, "a step of task '%s' (function %s)", name,
                      function);
}

static void debug_report_slow(const uva__work_t *work, uint64_t took_ns)
{
    char what[DEBUG_WHAT_BYTES];

    if (work->task != NULL) {
        uva__debug_describe_step(what, sizeof what,
                                 uva_task_get_name(work->task),
                                 uva__task_function(work->task));
    } else {
        (void)uva__format(what, sizeof what, "%s%s%s%s%s", work->what,
                          work->function == NULL ? "" : " ",
                          work->function == NULL ? "" : work->function,
                          work->source == NULL ? "" : " made at ",
                          work->source == NULL ? "" : work->source);
    }
    uva__debug_tell_slow(what, took_ns, "");
}

void uva__debug_run(uva_loop_t *loop, uva__ready_t *ready)
{
    uva__work_t work = {NULL, "the loop's own work", NULL, NULL};
    uint64_t took_ns = loop->driver.ops->now(loop);
    uint64_t real_ns = uva__clock_ns();

    /* The node may be gone after the run. */
    if (ready->ops->describe != NULL) {
        ready->ops->describe(ready, &work);
    }
    if (work.task != NULL) {
        (void)uva__future_ref(&work.task->base);
        uva__lent_args_check(work.task);
    }
    ready->ops->run(ready);
    /* The clock of virtual time moves by hand only, and the time that a step
     * takes is real: the greater one counts. */
    took_ns = loop->driver.ops->now(loop) - took_ns;
    real_ns = uva__clock_ns() - real_ns;
    took_ns = took_ns > real_ns ? took_ns : real_ns;
    if (took_ns >= loop->debug.slow_ns) {
        debug_report_slow(&work, took_ns);
    }
    uva__future_unref(UVA_FUTURE(work.task));
}

/* --- stack usage --- */

uva__usage_key_t uva__task_usage_key(const uva_task_t *task)
{
    uva__usage_key_t key = {.function = uva__task_function(task)};

    /* Its body tells it from others without a name. */
    if (task->coro == &uva__plain_coro) {
        const uva__plain_frame_t *frame = uva__task_frame(
            UVA__CONTAINER_OF((uintptr_t)task, uva_task_t, base));
        key.body = (uintptr_t)frame->body;
    }
    return key;
}

/* Counts all there are, also those for which usages has no room. */
size_t uva_loop_stack_usage(const uva_loop_t *loop,
                            uva_stack_usage_t *usages,
                            size_t count)
{
    size_t found = 0;

    for (const uva__usage_t *usage = loop->debug.usage; usage != NULL;
         usage = usage->next) {
        if (found < count) {
            usages[found] = (uva_stack_usage_t){
                usage->key.function, usage->samples, usage->max_bytes};
        }
        found++;
    }
    return found;
}

/* Idle stacks only: those of tasks are in use. */
size_t uva_loop_trim_stacks(uva_loop_t *loop)
{
    return uva__loop_owned(loop) ? uva__stack_pool_trim(&loop->stacks) : 0;
}
