/*
 * The futures that a wait and an as_completed wait for.
 *
 *   a member's future is  its record stands         and keeps the state
 *   pending               among the callbacks       yes
 *   done                  in the ready queue        yes
 *   known to be done      nowhere                   no
 *   left behind           nowhere, it was removed   no
 *
 * Invariant: the state lives until each of its records was removed or has run,
 * however early the waiting task goes on. Once the wait is over, no function of
 * its table is called.
 */
#include "combine/members.h"

#include <string.h>

#include "core/futures.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/timers.h"

static size_t members_bytes(const uva__members_ops_t *ops, size_t count)
{
    return ops->bytes + count * sizeof(uva__member_t);
}

/* The futures stay alive to the end of the state, since the futures that a wait
 * gives out are borrowed from it. */
void uva__members_unref(uva__members_t *members)
{
    if (--members->refs > 0) {
        return;
    }
    for (size_t i = 0; i < members->count; i++) {
        uva__future_unref(members->places[i].future);
    }
    uva__slab_put(&members->loop->slab, members,
                  members_bytes(members->ops, members->count));
}

/* The record of a member has run. The state may go with its last reference. */
static void member_done(uva__ready_t *ready)
{
    uva__member_t *member =
        UVA__CONTAINER_OF(ready, uva__member_t, record.ready);
    uva__members_t *members = member->members;

    if (members->left > 0) {
        members->left--;
        members->ops->done(members, member);
    }
    uva__members_unref(members);
}

/* For the call graph: the task of a wait. The tasks of an as_completed wait in
 * a list, for whichever future comes first. */
static uva_future_t *member_waiter(uva__ready_t *ready)
{
    const uva_waiter_t *waiter =
        UVA__CONTAINER_OF(ready, uva__member_t, record.ready)->members->waiter;

    return waiter == NULL ? NULL : &uva__task_of_waiter(waiter)->base;
}

static const uva__ready_ops_t member_ops = {
    .run = member_done, .waiter = member_waiter, .drop = member_done};

/* The timer is idle again when this runs. */
static void members_expired(uva__timer_t *timer)
{
    uva__members_t *members = UVA__CONTAINER_OF(timer, uva__members_t, timer);

    members->ops->expired(members);
}

/* Whether a future is memory that can bear a mark. */
static bool future_is_real(const uva_future_t *future)
{
    return future != NULL && future->kind != UVA__KIND_REFUSED;
}

/* Fill the places. A future that stands in the array twice is found by a mark
 * that it bears while the places are filled, so this takes linear time. */
static void members_fill(uva__members_t *members,
                         const uva_future_ref_t *futures)
{
    for (size_t i = 0; i < members->count; i++) {
        uva_future_t *future = uva__future_ref(futures[i]);
        bool real = future_is_real(future);
        bool counted = !real || (future->flags & UVA__VISITED) == 0;

        members->places[i] =
            (uva__member_t){.record = {.ready = {NULL, &member_ops}},
                            .future = future,
                            .members = members,
                            .counted = counted};
        members->left += counted;
        if (real) {
            future->flags |= UVA__VISITED;
        }
    }
    members->refs += members->left;
    for (size_t i = 0; i < members->count; i++) {
        if (future_is_real(futures[i])) {
            futures[i]->flags &= (uint16_t)~UVA__VISITED;
        }
    }
}

/* Futures that are done already tell it in the next iteration, as asyncio's
 * done callbacks do. */
static void members_attach(uva__members_t *members)
{
    for (size_t i = 0; i < members->count; i++) {
        uva__member_t *member = &members->places[i];
        if (!member->counted) {
            continue;
        }
        if (uva__future_pending(member->future)) {
            uva__future_append(member->future, &member->record);
        } else {
            uva__loop_push(members->loop, &member->record.ready);
        }
    }
}

/* The futures are looked at before anything is made, so that a refusal
 * leaves no trace. */
int uva__members_new(uva_loop_t *loop,
                     const uva__members_ops_t *ops,
                     const uva_future_ref_t *futures,
                     size_t count,
                     uint64_t timeout_ns,
                     uva__members_t **ret_members)
{
    uva__members_t *members;
    int r = 0;

    if (count > INT32_MAX) {
        return uva__bare(UV_EINVAL);
    }
    if (!uva__futures_of_loop(loop, futures, count)) {
        return uva__bare(UVA_EWRONGLOOP);
    }
    members = uva__slab_get(&loop->slab, members_bytes(ops, count));
    if (members == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    memset(members, 0, ops->bytes);
    members->ops = ops;
    members->loop = loop;
    members->count = count;
    members->refs = 1;
    members->places = (uva__member_t *)(void *)((char *)members + ops->bytes);
    if (timeout_ns != UVA_FOREVER && count > 0) {
        r = uva__timer_start(loop, &members->timer,
                             uva__loop_deadline(loop, timeout_ns),
                             members_expired);
    }
    if (r < 0) {
        uva__slab_put(&loop->slab, members, members_bytes(ops, count));
        return uva__bare(r);
    }
    members_fill(members, futures);
    members_attach(members);
    *ret_members = members;
    return 0;
}

/* Records that are in the ready queue already cannot be taken back: they
 * run, and find that nothing is left to count. */
void uva__members_leave(uva__members_t *members)
{
    uva__timer_stop(members->loop, &members->timer);
    members->waiter = NULL;
    members->left = 0;
    for (size_t i = 0; i < members->count; i++) {
        uva__member_t *member = &members->places[i];
        if (uva__future_remove(member->future, &member->record)) {
            members->refs--;
        }
    }
}
