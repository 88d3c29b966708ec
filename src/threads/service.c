/*
 * The threads floor as a service of a loop (core/services.h).
 *
 * Invariant: a loop that never had a promise has no part of this floor, and a
 * closed loop has none either, though its promises may live on until their
 * users drop them.
 */
#include "threads/service.h"

#include "uva/testing.h"

#include "base/alloc.h"
#include "base/list.h"

static uva__threads_t *threads_of_service(uva__service_t *service)
{
    return UVA__CONTAINER_OF(service, uva__threads_t, service);
}

/* No task is left, so nobody waits for what is pending. */
static void threads_abandon(uva__service_t *service)
{
    uva__threads_t *threads = threads_of_service(service);

    while (!uva__list_empty(&threads->pending)) {
        uva__pending_t *pending =
            UVA__LIST_FIRST(&threads->pending, uva__pending_t, link);

        pending->abandon(pending);
    }
    if (threads->executor != NULL) {
        threads->end_executor(threads);
    }
}

static void threads_closed(uva__service_t *service)
{
    uva__threads_t *threads = threads_of_service(service);

    if (threads->executor != NULL) {
        threads->drop_executor(threads);
    }
    if (threads->spare_jobs != NULL) {
        threads->forget_jobs(threads);
    }
    threads->loop->services[UVA__SERVICE_THREADS] = NULL;
    uva__free(threads);
}

static const uva__service_ops_t threads_ops = {
    .abandon = threads_abandon,
    .closed = threads_closed,
};

int uva__threads_get(uva_loop_t *loop, uva__threads_t **ret_threads)
{
    uva__service_t *service = loop->services[UVA__SERVICE_THREADS];
    uva__threads_t *threads;

    if (service != NULL) {
        *ret_threads = threads_of_service(service);
        return 0;
    }
    if (loop->closing) {
        return UV_EPERM;
    }
    threads = uva__calloc(1, sizeof *threads);
    if (threads == NULL) {
        return UV_ENOMEM;
    }
    threads->service.ops = &threads_ops;
    threads->loop = loop;
    uva__list_init(&threads->pending);
    loop->services[UVA__SERVICE_THREADS] = &threads->service;
    *ret_threads = threads;
    return 0;
}

/* Virtual time waits for what other threads do; libuv's passes anyway. */
static bool threads_hold_clock(const uva_loop_t *loop)
{
    return !loop->driver.hosted && loop->driver.ops->uv(loop) == NULL;
}

void uva__threads_wait_begin(uva_loop_t *loop)
{
    uva__loop_op_begin(loop);
    if (threads_hold_clock(loop)) {
        uva_loop_hold(loop);
    }
    if (!loop->ready.draining) {
        loop->driver.ops->attend(loop); /* A host has something to wait for. */
    }
}

void uva__threads_wait_end(uva_loop_t *loop)
{
    uva__loop_op_end(loop);
    if (threads_hold_clock(loop)) {
        uva_loop_release(loop);
    }
}
