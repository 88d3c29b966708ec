/*
 * Cancelling (asyncio.futures, asyncio.tasks).
 *
 * A task that is cancelled asks the future that it awaits, and a future with
 * children asks each of them. That makes chains of any length, and rings. So
 * the request walks from one to the next in a loop, without recursion, and the
 * parents on its way keep where it has to come back to
 * (uva__parent_t.cancel_walk).
 *
 * Invariant: UVA__VISITED marks the tasks and parents between the future that
 * was cancelled and the one that is asked, and no others. A walk that comes to
 * a marked one has closed a ring.
 */
#include "core/cancel.h"
#include "base/alloc.h"
#include "base/errors.h"
#include "core/extra.h"
#include "core/failures.h"
#include "core/futures.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"

/* The answer of a future that is asked to cancel. The answer of a parent is the
 * greatest among those of its children, so the order counts. */
typedef enum answer_e {
    ANSWER_NO,   /* It was done. */
    ANSWER_YES,  /* It will end, or go on and swallow it. */
    ANSWER_RING, /* It is marked: it waits for the asker. */
    ANSWER_ASK   /* Not known: ask walk_t.future. */
} answer_t;

typedef struct walk_s {
    uva_error_t *words;   /* Borrowed: the message; NULL for none. */
    uva_future_t *future; /* The future that is asked. */
    uva_task_t *asker;    /* The task that awaits it and asks; or NULL. */
    /* The first of the chain of tasks that leads to future. */
    uva_future_t *start;
    uva__parent_t *parent; /* The parent whose child start is; or NULL. */
} walk_t;

/* Whether a future passes a request to cancel on to its children. */
static bool future_has_children(const uva_future_t *future)
{
    return uva__future_kind(future)->cancel_next != NULL;
}

/* The next step of the task, or its next await, ends with UV_ECANCELED. */
static void task_must_cancel(uva_task_t *task, uva_error_t *words)
{
    task->base.flags |= UVA__MUST_CANCEL;
    uva__task_set_request(task, words);
}

/* Tasks that await each other in a ring have no innermost wait to end: the task
 * that closes the ring stops waiting. Its record leaves the future and goes to
 * the ready queue. */
static void task_leave_ring(uva_task_t *task, uva_error_t *words)
{
    uva_future_t *future = task->waiter.await.future;

    task_must_cancel(task, words);
    (void)uva__future_remove(future, &task->record);
    task->base.phase = UVA__PHASE_DETACHED;
    uva__loop_push(task->base.loop, &task->ready);
    if (future_has_children(future)) {
        /* Its children are cancelled, and nobody awaits it. */
        future->flags |= UVA__QUIET;
    }
}

/* Count a request. Where the counter in the task is at its end, the extra
 * counts on; a request for which there is no memory is delivered and not
 * counted. */
static void task_count_request(uva_task_t *task)
{
    uva__extra_t *extra;

    if (UVA__LIKELY(task->base.cancelling < UINT16_MAX)) {
        task->base.cancelling++;
        return;
    }
    extra = uva__future_extra(&task->base);
    if (extra != NULL && extra->cancelling < UINT32_MAX - UINT16_MAX) {
        extra->cancelling++;
    }
}

/* asyncio: tasks.py, Task.cancel. A task that waits is woken with the words of
 * this first request. A task that is ready already keeps the words of the last
 * request until its next step. */
static answer_t walk_ask_task(walk_t *walk, uva_task_t *task)
{
    task_count_request(task);
    if (task->base.phase == UVA__PHASE_FUTURE) {
        walk->asker = task;
        walk->future = task->waiter.await.future;
        return ANSWER_ASK;
    }
    if (task->base.phase == UVA__PHASE_WAIT) {
        task->base.phase = UVA__PHASE_CANCELLED;
        uva__task_set_request(task, walk->words);
        uva__loop_push(task->base.loop, &task->ready);
    } else if (task->base.phase != UVA__PHASE_CANCELLED) {
        task_must_cancel(task, walk->words);
    }
    return ANSWER_YES;
}

/* Ask the next child of the parent that the walk has come to.
 * @return Whether there is one. */
static bool walk_next_child(walk_t *walk)
{
    uva__parent_t *parent = walk->parent;
    uva_future_t *future = &parent->plain.base;

    walk->start = NULL;
    walk->asker = NULL;
    if (!uva__future_kind(future)->cancel_next(future, parent->cancel_walk.next,
                                               &walk->start)) {
        return false;
    }
    parent->cancel_walk.next++;
    walk->future = walk->start;
    return true;
}

/* Go down into a parent. The parent keeps the walk's way to it, and the walk
 * gets it back when the last child has answered. */
static answer_t walk_ask_parent(walk_t *walk, uva__parent_t *parent)
{
    parent->cancel_walk.parent = walk->parent;
    parent->cancel_walk.start = walk->start;
    parent->cancel_walk.asker = walk->asker;
    parent->cancel_walk.next = 0;
    parent->cancel_walk.answer = ANSWER_NO;
    walk->parent = parent;
    return walk_next_child(walk) ? ANSWER_ASK : ANSWER_NO;
}

/* Ask the future that the walk has come to. A done one refuses, and counts as
 * seen, as in asyncio's cancel. A plain future ends here. A task or a parent
 * leads on, unless it is marked. */
static answer_t walk_ask(walk_t *walk)
{
    uva_future_t *future = walk->future;

    if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        return ANSWER_NO;
    }
    if (future->state != UVA__FUTURE_PENDING) {
        future->flags |= UVA__RETRIEVED;
        return ANSWER_NO;
    }
    if (future->kind != UVA__KIND_TASK && !future_has_children(future)) {
        if (walk->words != NULL) {
            uva__extra_t *extra = uva__future_extra(future);
            if (extra != NULL) {
                extra->error = uva_error_ref(walk->words);
            }
        }
        uva__future_finish(future, UVA__FUTURE_CANCELLED, UV_ECANCELED);
        return ANSWER_YES;
    }
    if ((future->flags & UVA__VISITED) != 0) {
        return ANSWER_RING;
    }
    future->flags |= UVA__VISITED;
    return future->kind == UVA__KIND_TASK
               ? walk_ask_task(walk, uva__future_as_task(future))
               : walk_ask_parent(walk, UVA__CONTAINER_OF(future, uva__parent_t,
                                                         plain.base));
}

/* Unmark a chain of tasks, as far as it was walked. */
static void walk_leave(uva_future_t *start)
{
    while ((uva_future_task(start) != NULL) &&
           (start->flags & UVA__VISITED) != 0) {
        uva_task_t *task = uva__future_as_task(start);
        start->flags &= (uint16_t)~UVA__VISITED;
        start = start->phase == UVA__PHASE_FUTURE ? task->waiter.await.future
                                                  : NULL;
    }
}

/* Carry an answer up: to the task that asked, then to the parent, and on until
 * a parent has a child that was not asked. @return ANSWER_ASK if there is one;
 * else the answer of the future that the walk began with. */
static answer_t walk_answer(walk_t *walk, answer_t answer)
{
    uva__parent_t *parent;

    for (;;) {
        if (walk->asker != NULL) {
            if (answer == ANSWER_NO) {
                task_must_cancel(walk->asker, walk->words);
            } else if (answer == ANSWER_RING) {
                task_leave_ring(walk->asker, walk->words);
            }
            answer = ANSWER_YES;
        }
        /* Else the chain's marks are those of the walk's way here, which goes
         * on. */
        if (answer != ANSWER_RING) {
            walk_leave(walk->start);
        }
        parent = walk->parent;
        if (parent == NULL) {
            return answer;
        }
        if (parent->cancel_walk.answer < (int)answer) {
            parent->cancel_walk.answer = (int)answer;
        }
        if (walk_next_child(walk)) {
            return ANSWER_ASK;
        }
        parent->plain.base.flags &= (uint16_t)~UVA__VISITED;
        answer = (answer_t)parent->cancel_walk.answer;
        if (answer != ANSWER_NO) {
            parent->cancel_requested = true;
        }
        walk->asker = parent->cancel_walk.asker;
        walk->start = parent->cancel_walk.start;
        walk->parent = parent->cancel_walk.parent;
    }
}

/* Ask and answer in turn until what the walk began with has its answer. */
static answer_t walk_run(walk_t *walk)
{
    answer_t answer;

    do {
        answer = walk_ask(walk);
        if (answer != ANSWER_ASK) {
            answer = walk_answer(walk, answer);
        }
    } while (answer == ANSWER_ASK);
    return answer;
}

/* asyncio: futures.py, Future.cancel; tasks.py, Task.cancel, and
 * _GatheringFuture.cancel. */
static bool
future_cancel(uva_future_t *future, const char *message, const char *function)
{
    walk_t walk = {.future = future, .start = future};
    bool asked;

    if (future == NULL || future->kind == UVA__KIND_REFUSED ||
        !uva__loop_owned_for(future->loop, function)) {
        return false;
    }
    if (message != NULL) {
        walk.words = uva__error_new(UV_ECANCELED, uva__strdup(message), NULL);
    }
    /* On a closed loop the walk drops callbacks, and their destructors may drop
     * the future: a reference keeps it. */
    uva__future_ref(future);
    asked = walk_run(&walk) != ANSWER_NO;
    uva__future_unref(future);
    uva_error_unref(walk.words);
    return asked;
}

/* The request was counted when it came. The walk begins as if it had just asked
 * the task, which is marked for that. */
void uva__task_cancel_await(uva_task_t *task)
{
    uva__extra_t *extra = task->extra;
    walk_t walk = {.words = extra == NULL ? NULL : extra->request,
                   .future = task->waiter.await.future,
                   .start = &task->base,
                   .asker = task};

    if (extra != NULL) {
        extra->request = NULL;
    }
    task->base.flags &= (uint16_t)~UVA__MUST_CANCEL;
    task->base.flags |= UVA__VISITED;
    (void)walk_run(&walk);
    uva_error_unref(walk.words);
}

bool uva_future_cancel_message(uva_future_t *future, const char *message)
{
    return future_cancel(future, message, __func__);
}

bool uva_future_cancel(uva_future_t *future)
{
    return future_cancel(future, NULL, __func__);
}

bool uva_task_cancel(uva_task_t *task)
{
    return future_cancel(UVA_FUTURE(task), NULL, __func__);
}

/* asyncio: tasks.py, Task.cancelling. */
unsigned uva_task_cancelling(const uva_task_t *task)
{
    if (task == NULL) {
        return 0;
    }
    return UVA__LIKELY(task->base.cancelling < UINT16_MAX) ||
                   task->extra == NULL
               ? task->base.cancelling
               : UINT16_MAX + task->extra->cancelling;
}

/* asyncio: tasks.py, Task.uncancel. The last one takes a request back that was
 * not delivered. A wait that the request has ended is not resumed: its task
 * keeps the request. */
unsigned uva_task_uncancel(uva_task_t *task)
{
    if (task == NULL || task->base.cancelling == 0) {
        return 0;
    }
    if (!uva__loop_owned(task->base.loop)) {
        return task->base.cancelling;
    }
    if (uva_task_cancelling(task) > UINT16_MAX) {
        task->extra->cancelling--;
    } else if (--task->base.cancelling == 0 &&
               task->base.phase != UVA__PHASE_DETACHED &&
               task->base.phase != UVA__PHASE_CANCELLED) {
        uva__task_drop_cancel(task);
    }
    return uva_task_cancelling(task);
}
