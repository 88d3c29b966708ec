/*
 * Which loop runs in this thread, which thread owns a loop, and whether a loop
 * can still be used.
 */
#ifndef UVA__CORE_OWNER_H
#define UVA__CORE_OWNER_H

#include "base/thread.h"
#include "base/util.h"
#include "core/loop.h"

/** The loop whose tasks and callbacks run in this thread. Never NULL:
 * uva__nowhere, a loop without a task, stands in when none runs, so that the
 * running task is found without a test for the loop. */
extern UVA__TLS uva_loop_t *uva__here;
extern uva_loop_t uva__nowhere;

/** The loop that runs in this thread; borrowed; NULL if none does. */
static inline uva_loop_t *uva__running(void)
{
    return uva__here == &uva__nowhere ? NULL : uva__here;
}

/** The rest of uva__loop_owned_for: the loop does not run in this thread. */
bool uva__loop_owned_slow(const uva_loop_t *loop, const char *function);

/** Whether the loop belongs to the calling thread. @thread any */
static inline bool uva__loop_is_owner(const uva_loop_t *loop)
{
    uv_thread_t owner =
        atomic_load_explicit(&loop->thread, memory_order_relaxed);
    uv_thread_t self = uv_thread_self();

    return uv_thread_equal(&self, &owner) != 0;
}

/** Make the calling thread the owner, before it turns the loop. Other threads
 * may ask at the same moment whether they are, so the owner is atomic. */
static inline void uva__loop_own(uva_loop_t *loop)
{
    if (UVA__UNLIKELY(!uva__loop_is_owner(loop))) {
        atomic_store_explicit(&loop->thread, uv_thread_self(),
                              memory_order_relaxed);
        atomic_store_explicit(&loop->debug.thread_number,
                              (unsigned)uva__thread_number(),
                              memory_order_relaxed);
        loop->step.exceptions = uva__exceptions_here();
        uva__context_self(&loop->step.context); /* Sanitizers: the loop's flow
                                                   is another thread's stack. */
    }
}

/**
 * Whether the calling thread may touch what belongs to the loop. If not, the
 * log names the public function that asks, and the thread. Every public
 * function that is not for any thread asks before it changes anything.
 */
static inline bool uva__loop_owned_for(const uva_loop_t *loop,
                                       const char *function)
{
    return UVA__LIKELY(uva__here == loop) ||
           uva__loop_owned_slow(loop, function);
}

/** The same, for use in the public function itself. */
#define uva__loop_owned(loop) uva__loop_owned_for(loop, __func__)

/** uva_loop_owned, where nothing keeps the loop in memory: a loop that was
 * freed belongs to no thread, and anybody may ask. */
bool uva__loop_owned_or_gone(const uva_loop_t *loop, const char *function);

/** Whether a loop cannot be used by the calling function, whose name is
 * function: it is closed, another thread's, or the parent's of this process.
 * Notices that the host has closed the handles, and ends the loop then. @return
 * 0 if it can be used. @retval UV_EPERM @retval UVA_EFORKED */
int uva__loop_refuses(uva_loop_t *loop, const char *function);

/** The code of a call that uva__loop_owned refuses. */
static inline int uva__loop_refusal(const uva_loop_t *loop)
{
    return loop->driver.forked ? UVA_EFORKED : UV_EPERM;
}

/** Notice that the host has closed the loop's handles: end the loop as far as
 * its tasks let it. @return Whether the host has. */
bool uva__loop_host_lost(uva_loop_t *loop);

/** The running task; borrowed. NULL in callbacks and outside of loops, where
 * nothing can wait. */
static inline uva_task_t *uva__task_current(void)
{
    return uva__here->step.current;
}

#endif /* UVA__CORE_OWNER_H */
