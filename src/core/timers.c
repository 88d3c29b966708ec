/*
 * Deadlines: a wheel with a heap, and the list of those that are due.
 *
 * Invariant: while the list of due timers is not empty, its one node is in the
 * ready queue. So the due timers of a look run one after another at the place
 * where asyncio's handles would stand, and each can be stopped to the last
 * moment by leaving the list.
 */
#include "core/timers.h"

#include "core/loop.h"
#include "core/ready.h"

/* A look takes so many timers, and those of the last one's deadline: as if it
 * had read the clock earlier. More, and what they wake, would have left the
 * cache before they run. */
#define TIMERS_AT_ONCE 512u
/* Dense deadlines fire in batches, each timer a little late, and not each for
 * the price of two system calls: no wake-up is set nearer than this to the last
 * timers that came. The distance doubles, up to the most, while each wake-up
 * finds so many timers that they are dense; one that finds fewer ends it. */
#define TIMERS_APART_NS      ((uint64_t)50 * 1000)
#define TIMERS_APART_MOST_NS ((uint64_t)400 * 1000)
#define TIMERS_DENSE         8u

/* The others are the wheel's: 1 and 3. */
enum {
    TIMER_IDLE = 0,
    TIMER_DUE = 2
};

int uva__timer_start(uva_loop_t *loop,
                     uva__timer_t *timer,
                     uint64_t when_ns,
                     void (*fire)(uva__timer_t *timer))
{
    int r;

    timer->fire = fire;
    timer->waiter = NULL;
    timer->state = TIMER_IDLE;
    if (when_ns == UVA_FOREVER) {
        return 0;
    }
    r = uva__wheel_insert(&loop->timers, timer, when_ns, loop->looked_ns);
    if (r < 0) {
        return r;
    }
    if (UVA__UNLIKELY(!loop->attended)) {
        loop->driver->attend(loop);
    }
    return 0;
}

void uva__timer_stop(uva_loop_t *loop, uva__timer_t *timer)
{
    if (timer->state == TIMER_DUE) {
        uva__list_remove(&timer->at.link);
    } else if (timer->state != TIMER_IDLE) {
        uva__wheel_remove(&loop->timers, timer);
    }
    timer->state = TIMER_IDLE;
}

static void timers_run_due(uva__ready_t *ready)
{
    uva_loop_t *loop = UVA__CONTAINER_OF(ready, uva_loop_t, due_ready);
    uva_list_t due;

    /* Those that come due meanwhile belong to a later look. */
    ready->run = NULL;
    uva__list_init(&due);
    if (!uva__list_empty(&loop->due)) {
        uva__list_insert_before(loop->due.next, &due);
        uva__list_remove(&loop->due);
        uva__list_init(&loop->due);
    }
    while (!uva__list_empty(&due)) {
        uva__timer_t *timer = UVA__LIST_FIRST(&due, uva__timer_t, at.link);
        uva__list_remove(&timer->at.link);
        timer->state = TIMER_IDLE;
        timer->fire(timer);
    }
}

static void timers_set_apart(uva_loop_t *loop, uint64_t now_ns, size_t count)
{
    if (now_ns >= loop->calm_ns) { /* Else it was a look of a busy loop. */
        loop->apart_ns *= 2;
        if (count < TIMERS_DENSE || loop->apart_ns < TIMERS_APART_NS) {
            loop->apart_ns = TIMERS_APART_NS;
        } else if (loop->apart_ns > TIMERS_APART_MOST_NS) {
            loop->apart_ns = TIMERS_APART_MOST_NS;
        }
    }
    loop->calm_ns = now_ns + loop->apart_ns;
}

void uva__timers_collect(uva_loop_t *loop, uint64_t now_ns)
{
    uint64_t last_ns = 0;
    size_t count = 0;

    while (loop->timers.count > 0 && uva__wheel_next(&loop->timers) <= now_ns) {
        uva__timer_t *timer = uva__wheel_first(&loop->timers);
        if (count >= TIMERS_AT_ONCE && timer->when_ns != last_ns) {
            break;
        }
        UVA__PREFETCH_WRITE(timer->waiter);
        uva__wheel_remove(&loop->timers, timer);
        timer->state = TIMER_DUE;
        uva__list_append(&loop->due, &timer->at.link);
        last_ns = timer->when_ns;
        count++;
    }
    if (count == 0) {
        return;
    }
    timers_set_apart(loop, now_ns, count);
    if (loop->due_ready.run == NULL) {
        loop->due_ready.run = timers_run_due;
        uva__loop_push(loop, &loop->due_ready);
    }
}
