/*
 * Calls of functions on the stack of the loop's thread, for code that must find
 * the bounds of the stack which the thread began with.
 *
 * Invariant: the node was queued before anything that wakes the task, so it has
 * run, or was dropped, when the task goes on: the operation may lie in the
 * task's frame. If the task was cancelled meanwhile, the function is not
 * called.
 */
#include "uva/events.h"

#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/waiters.h"

/* The node's turn has come, or the loop closes: call the function unless the
 * wait has ended by a cancellation. */
static void thread_stack_run(uva__ready_t *ready)
{
    uva_thread_stack_op_t *op =
        UVA__CONTAINER_OF(ready, uva_thread_stack_op_t, ready);

    if (uva__task_of_waiter(op->waiter)->base.phase == UVA__PHASE_WAIT) {
        op->callback(op->data);
        (void)uva__waiter_wake(op->waiter);
    }
}

static const uva__ready_ops_t thread_stack_ops = {.run = thread_stack_run,
                                                  .drop = thread_stack_run};

int uva_call_on_thread_stack_poll(uva_thread_stack_op_t *op,
                                  uva_callback_cb callback,
                                  void *data)
{
    uva_task_t *task = uva__task_current();

    if (task == NULL) {
        return UVA_ENOTASK;
    }
    /* The second poll: the task was woken. */
    if (task->base.phase != UVA__PHASE_IDLE) {
        return uva__waiter_finish(task);
    }
    if (callback == NULL) {
        return uva__bare(UV_EINVAL);
    }
    *op = (uva_thread_stack_op_t){
        {NULL, &thread_stack_ops}, callback, data, &task->waiter};
    uva__loop_push(task->base.loop, &op->ready);
    return uva__waiter_suspend(task);
}

int uva_call_on_thread_stack(uva_callback_cb callback, void *data)
{
    uva_thread_stack_op_t op;
    int r;

    UVA_DRIVE(r, uva_call_on_thread_stack, &op, callback, data);
    return r;
}
