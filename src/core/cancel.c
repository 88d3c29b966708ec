/*
 * Cancelling (asyncio.futures, asyncio.tasks).
 *
 * A task asks what it awaits, a future that has children asks each of them:
 * that makes chains of any length, and rings. So this walks and does not
 * recurse; the parents on its way keep where it has to come back to.
 *
 * Invariant: those between the future that was cancelled and the one that is
 * asked are marked, and no others.
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

typedef enum answer_e {
    ANSWER_NO,   /* It was done. */
    ANSWER_YES,  /* It will end, or go on and swallow it. */
    ANSWER_RING, /* It waits for the one who asks. */
    ANSWER_ASK   /* Not known: ask walk_t.future. */
} answer_t;

typedef struct walk_s {
    uva_error_t *words;    /* Borrowed: the message; NULL for none. */
    uva_future_t *future;  /* The one that is asked. */
    uva_task_t *asker;     /* The task that awaits it and asks; or NULL. */
    uva_future_t *start;   /* The first of the tasks from here to there. */
    uva__parent_t *parent; /* Whose child that is; NULL for none. */
} walk_t;

/* Whether a cancellation asks several others on behalf of a future. */
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

/* Tasks that await each other in a ring have no innermost wait to end: the one
 * that closes the ring stops waiting. */
static void task_leave_ring(uva_task_t *task, uva_error_t *words)
{
    uva_future_t *future = task->waiter.await.future;

    task_must_cancel(task, words);
    (void)uva__future_remove(future, &task->record);
    task->base.phase = UVA__PHASE_DETACHED;
    uva__loop_push(task->base.loop, &task->ready);
    if (future_has_children(future)) {
        future->flags |= UVA__QUIET; /* Cancelled too, with nobody to ask. */
    }
}

/* Count a request. One that needs memory for that and has none is not. */
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

/* asyncio: tasks.py, Task.cancel. The words of the first request are told to
 * who waits, as they end the wait; of who is ready already, only its next step
 * asks, for those of the last. */
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

/* Go down into a parent. What the walk knows of the way to it is kept there,
 * and comes back when its last child has answered. */
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

/* Ask the future that the walk has come to. A done one says no; a plain one
 * ends here; a task or a parent leads on, unless the walk has come by it
 * before. */
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

/* Tell the one who asked. @return ANSWER_ASK if there are others to ask, else
 * what the walk began with has answered. */
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
        if (answer != ANSWER_RING) { /* Else the marks are older. */
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
    /* Once its loop is closed, callbacks are dropped in the walk: their
     * destructors may drop the future. */
    uva__future_ref(future);
    asked = walk_run(&walk) != ANSWER_NO;
    uva__future_unref(future);
    uva_error_unref(walk.words);
    return asked;
}

/* The walk goes on as if it had come to the task, which was counted before. */
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
        uva__task_drop_cancel(task); /* Else its wait has ended by it. */
    }
    return uva_task_cancelling(task);
}
