/*
 * Calls on the stack of the loop, for what knows where its thread's stack is.
 *
 * Invariant: the node was queued before whatever wakes the task, so it has run
 * when the task goes on; it looks first whether the task still waits for it.
 */
#include "uva/events.h"

#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/waiters.h"

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
