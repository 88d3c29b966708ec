/*
 * Changes below a loop: its host goes to another thread or ends in an order of
 * its own, or the process forks. asyncio has no such functions.
 *
 * Invariant: when the host has closed the handles of a loop, this is reported
 * once, and no function of libuv is called from then on. In the child of a fork
 * nothing that a loop shares with its parent is touched before uva_loop_fork.
 */
#include "uva/events.h"

#include <pthread.h>

#include "base/log.h"
#include "core/driver.h"
#include "core/hosts.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/registry.h"
#include "core/services.h"
#include "core/shutdown.h"

/* --- the owner, and the host --- */

/* The calling thread becomes the owner. The caller vouches that no other thread
 * uses the loop. */
int uva_loop_adopt(uva_loop_t *loop)
{
    if (loop == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    if (loop->driver.forked) {
        return uva__bare(UVA_EFORKED);
    }
    if (loop->closing || loop->running || uva__here == loop ||
        (loop->driver.aside & UVA__ASIDE_TURNING) != 0) {
        return uva__bare(UV_EPERM);
    }
    uva__loop_own(loop);
    return 0;
}

/* Only a host has phases that the driver cannot see. */
int uva_loop_set_inside(uva_loop_t *loop, uva_inside_t inside)
{
    int r = loop == NULL ? UVA_ENOLOOP : uva__loop_refuses(loop, __func__);

    if (r < 0) {
        return uva__bare(r);
    }
    if (!loop->driver.hosted) {
        return uva__bare(UV_ENOTSUP);
    }
    loop->driver.ops->say_inside(loop, inside);
    return 0;
}

/* --- operations of the host --- */

/* A loop that had nothing to do holds no reference of its uv_loop_t: a turn
 * takes one, or gives it back. */
static void hosts_attend(uva_loop_t *loop)
{
    if (!loop->ready.draining) {
        loop->driver.ops->attend(loop);
    }
}

int uva_loop_op_begin(uva_loop_t *loop)
{
    int r = loop == NULL ? UVA_ENOLOOP : uva__loop_refuses(loop, __func__);

    if (r < 0) {
        return uva__bare(r);
    }
    uva__loop_op_begin(loop);
    hosts_attend(loop);
    return 0;
}

/* The loop may have been lost to its host since. */
void uva_loop_op_end(uva_loop_t *loop)
{
    if (uva__loop_owned(loop)) {
        uva__loop_op_end(loop);
        if (!loop->closing) {
            hosts_attend(loop);
        }
    }
}

/* --- the host's end --- */

/* The host ends before its loop: all tasks end before this returns. If the host
 * has closed the handles already, noticing it has ended the loop. */
int uva_loop_detach(uva_loop_t *loop)
{
    if (loop == NULL) {
        return 0;
    }
    if (loop->driver.forked) {
        return uva__bare(UVA_EFORKED);
    }
    if (!uva__loop_owned(loop)) {
        return uva__bare(UV_EPERM);
    }
    if (loop->closing) {
        return 0;
    }
    if (loop->running || uva__running() != NULL) {
        return uva__bare(UV_EPERM);
    }
    if (uva__loop_host_lost(loop) && loop->closing) {
        return 0;
    }
    return uva__shutdown_now(loop);
}

/* To ask is to notice: a host that has closed the handles ends the loop here.
 */
bool uva_loop_is_detached(uva_loop_t *loop)
{
    if (loop != NULL && !loop->closing && uva__running() == NULL) {
        (void)uva__loop_refuses(loop, __func__);
    }
    return loop == NULL || loop->closed;
}

/* --- forks --- */

static pthread_once_t forks_once = PTHREAD_ONCE_INIT;

/* Put the ready nodes of the running loop aside in the child: they would run in
 * both processes. The drain finds nothing, and ends. */
static void forks_freeze(uva_loop_t *loop)
{
    loop->driver.forks.batch = loop->ready.batch;
    loop->driver.forks.head = loop->ready.head;
    loop->driver.forks.tail = loop->ready.tail;
    loop->ready.batch = NULL;
    loop->ready.head = NULL;
    loop->ready.tail = &loop->ready.head;
    loop->ready.budget = 0;
}

/* In the child, inside fork: only the thread that forked is here. The lock of
 * the registry was taken before, so that the list is whole. */
static void forks_in_child(void)
{
    UVA__LIST_FOREACH (loop, &uva__registry, uva_loop_t, registered) {
        /* A loop of virtual time shares nothing with the parent, and one that
         * an earlier fork has left is marked already. */
        if (!loop->driver.forked && !loop->closing &&
            loop->driver.ops->fork != NULL) {
            loop->driver.forked = true;
            loop->driver.aside |= UVA__ASIDE_FORKED;
            if (uva__here == loop) {
                forks_freeze(loop);
            }
            uva__services_forked(loop);
        }
    }
    uva__registry_unlock();
}

static void forks_install(void)
{
    if (pthread_atfork(uva__registry_lock, uva__registry_unlock,
                       forks_in_child) != 0) {
        uva__log(UVA_LOG_ERROR, "forks will not be noticed: no memory");
    }
}

void uva__forks_watch(void)
{
    (void)pthread_once(&forks_once, forks_install);
}

/* Give the ready nodes back that were put aside, for uva_loop_fork: in the
 * child they run then. */
static void forks_thaw(uva_loop_t *loop)
{
    /* Before nodes that were queued since. */
    if (loop->driver.forks.head != NULL) {
        *loop->driver.forks.tail = loop->ready.head;
        if (loop->ready.head == NULL) {
            loop->ready.tail = loop->driver.forks.tail;
        }
        loop->ready.head = loop->driver.forks.head;
    }
    if (loop->driver.forks.batch != NULL) {
        loop->ready.batch = loop->driver.forks.batch;
    }
    loop->driver.forks.head = NULL;
    loop->driver.forks.batch = NULL;
}

int uva_loop_fork(uva_loop_t *loop)
{
    int r;

    if (loop == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    /* A loop that another thread of the parent was turning is half done. */
    if (loop->closing ||
        ((loop->running || (loop->driver.aside & UVA__ASIDE_TURNING) != 0) &&
         !uva__loop_is_owner(loop))) {
        return uva__bare(UV_EPERM);
    }
    if (!loop->driver.forked) {
        return 0;
    }
    /* A thread of the parent may have held it, and is not in the child. */
    r = uv_mutex_init_recursive(&loop->mutex);
    if (r >= 0) {
        r = loop->driver.ops->fork(loop);
    }
    if (r >= 0) {
        r = uva__services_fork(loop);
    }
    if (r < 0) {
        return r;
    }
    loop->driver.forked = false;
    loop->driver.aside &= (uint8_t)~UVA__ASIDE_FORKED;
    uva__loop_own(loop);
    forks_thaw(loop);
    if (!loop->ready.draining) {
        loop->driver.ops->attend(loop);
    }
    return 0;
}
