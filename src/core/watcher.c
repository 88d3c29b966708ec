/*
 * The watcher: one thread that looks at the turns of all loops that have a
 * watchdog, and interrupts the thread of a loop whose turn lasts.
 *
 * Invariant: the registry's lock guards everything here and the watchdogs'
 * members for the watcher. It is held over a fork, so the child finds all of it
 * whole, but for the thread, which it has not. A signal may reach a thread when
 * its turn is over: the handler finds no step there that lasts.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "core/watcher.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/thread.h"
#include "core/registry.h"

#define WATCHER_STACK_BYTES ((size_t)128 * 1024)

/* One thread. It is an object of its own, because the last watchdog waits for
 * the thread without the lock, and a next one may start another meanwhile. */
typedef struct watcher_s {
    uv_thread_t thread;
    uv_mutex_t mutex; /* Of stopping and period_ns; taken last. */
    uv_cond_t changed;
    bool stopping;
    uint64_t period_ns;
    int signal_number;
} watcher_t;

static watcher_t *watcher;       /* NULL while no loop is watched. */
static uint64_t watcher_process; /* Which process the thread is in. */
static size_t watcher_count;     /* Of watchdogs in this process. */
static struct sigaction watcher_earlier;
static void (*watcher_handle)(int signal_number);

bool uva__watcher_has(const uva__watchdog_t *dog)
{
    return dog->process == (uint64_t)getpid();
}

/* --- the thread --- */

/* A turn that was under way at the last look too lasts for half a threshold at
 * least. */
static void watcher_look(const watcher_t *self)
{
    uva__registry_lock();
    UVA__LIST_FOREACH (loop, &uva__registry, uva_loop_t, registered) {
        uva__watchdog_t *dog = loop->debug.watchdog;
        unsigned turn;

        if (dog == NULL) {
            continue;
        }
        turn = atomic_load_explicit(&dog->turn, memory_order_relaxed);
        if ((turn & 1u) != 0 && turn == dog->seen) {
            (void)uva__thread_signal(
                atomic_load_explicit(&loop->debug.thread_number,
                                     memory_order_relaxed),
                self->signal_number);
        }
        dog->seen = turn;
    }
    uva__registry_unlock();
}

static void watcher_run(void *arg)
{
    watcher_t *self = arg;

    uva__thread_name("uva-watchdog");
    uv_mutex_lock(&self->mutex);
    while (!self->stopping) {
        if (uv_cond_timedwait(&self->changed, &self->mutex, self->period_ns) ==
            UV_ETIMEDOUT) {
            uv_mutex_unlock(&self->mutex);
            watcher_look(self);
            uv_mutex_lock(&self->mutex);
        }
    }
    uv_mutex_unlock(&self->mutex);
}

/* With the registry's lock: look as often as the smallest threshold wants. */
static void watcher_settle(void)
{
    uint64_t least_ns = UVA_FOREVER;

    UVA__LIST_FOREACH (loop, &uva__registry, uva_loop_t, registered) {
        const uva__watchdog_t *dog = loop->debug.watchdog;

        if (dog != NULL && uva__watcher_has(dog) &&
            dog->threshold_ns < least_ns) {
            least_ns = dog->threshold_ns;
        }
    }
    uv_mutex_lock(&watcher->mutex);
    watcher->period_ns = least_ns / 2;
    uv_cond_signal(&watcher->changed);
    uv_mutex_unlock(&watcher->mutex);
}

/* Signals of the process are for other threads. */
static int watcher_start(watcher_t *self)
{
    sigset_t all;
    sigset_t before;
    int r;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = uva__thread_start(&self->thread, WATCHER_STACK_BYTES, watcher_run,
                          self);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int watcher_new(int signal_number, watcher_t **ret_watcher)
{
    watcher_t *self = uva__calloc(1, sizeof *self);
    int r;

    if (self == NULL) {
        return UV_ENOMEM;
    }
    self->signal_number = signal_number;
    self->period_ns = UVA_FOREVER / 2;
    r = uv_mutex_init(&self->mutex);
    if (r < 0) {
        goto free_self;
    }
    r = uv_cond_init(&self->changed);
    if (r < 0) {
        goto destroy_mutex;
    }
    r = watcher_start(self);
    if (r < 0) {
        goto destroy_cond;
    }
    *ret_watcher = self;
    return 0;

destroy_cond:
    uv_cond_destroy(&self->changed);
destroy_mutex:
    uv_mutex_destroy(&self->mutex);
free_self:
    uva__free(self);
    return r;
}

static void watcher_free(watcher_t *self)
{
    uv_mutex_lock(&self->mutex);
    self->stopping = true;
    uv_cond_signal(&self->changed);
    uv_mutex_unlock(&self->mutex);
    uva__thread_end(&self->thread);
    uv_cond_destroy(&self->changed);
    uv_mutex_destroy(&self->mutex);
    uva__free(self);
}

/* --- the signal --- */

static bool watcher_is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) == 0 &&
           action->sa_handler == watcher_handle;
}

/* A program's own handler is never replaced. The child of a fork finds ours. */
static int watcher_catch(int signal_number, void (*handle)(int signal_number))
{
    struct sigaction action = {.sa_handler = handle,
                               .sa_flags = SA_RESTART | SA_ONSTACK};
    struct sigaction current;

    if (sigaction(signal_number, NULL, &current) != 0) {
        return -errno;
    }
    watcher_handle = handle;
    if (watcher_is_ours(&current)) {
        return 0;
    }
    if ((current.sa_flags & SA_SIGINFO) != 0 ||
        (current.sa_handler != SIG_DFL && current.sa_handler != SIG_IGN)) {
        return UV_EBUSY;
    }
    watcher_earlier = current;
    sigemptyset(&action.sa_mask);
    return sigaction(signal_number, &action, NULL) == 0 ? 0 : -errno;
}

/* A handler that somebody has set since stays. No signal of ours is on its way:
 * the last loop's thread calls this, and takes it when the first of these calls
 * of the system returns. */
static void watcher_release(int signal_number)
{
    struct sigaction current;

    if (sigaction(signal_number, NULL, &current) == 0 &&
        watcher_is_ours(&current)) {
        (void)sigaction(signal_number, &watcher_earlier, NULL);
    }
}

/* --- adding and removing --- */

/* With the lock, in the child of a fork: forget the parent's thread. */
static void watcher_forget_parent(void)
{
    if (watcher != NULL && watcher_process != (uint64_t)getpid()) {
        uva__free(watcher);
        watcher = NULL;
        watcher_count = 0;
    }
}

/* With the lock: make sure that the thread runs, by this signal. */
static int watcher_ensure(int signal_number, void (*handle)(int signal_number))
{
    int r;

    watcher_forget_parent();
    if (watcher != NULL) {
        return watcher->signal_number == signal_number ? 0 : UV_EBUSY;
    }
    r = watcher_catch(signal_number, handle);
    if (r < 0) {
        return r;
    }
    r = watcher_new(signal_number, &watcher);
    if (r < 0) {
        watcher_release(signal_number);
        return r;
    }
    watcher_process = (uint64_t)getpid();
    return 0;
}

int uva__watcher_add(uva_loop_t *loop,
                     uva__watchdog_t *dog,
                     int signal_number,
                     void (*handle)(int signal_number))
{
    int r;

    uva__registry_lock();
    r = watcher_ensure(signal_number, handle);
    if (r >= 0) {
        dog->process = watcher_process;
        watcher_count++;
        loop->debug.watchdog = dog;
        watcher_settle();
    }
    uva__registry_unlock();
    return r;
}

int uva__watcher_change(uva__watchdog_t *dog,
                        uint64_t threshold_ns,
                        int signal_number)
{
    int r = 0;

    uva__registry_lock();
    if (watcher->signal_number == signal_number) {
        dog->threshold_ns = threshold_ns;
        watcher_settle();
    } else {
        r = UV_EBUSY;
    }
    uva__registry_unlock();
    return r;
}

/* The thread is waited for without the lock, which it takes to look. */
uva__watchdog_t *uva__watcher_remove(uva_loop_t *loop)
{
    uva__watchdog_t *dog = loop->debug.watchdog;
    watcher_t *last = NULL;

    if (dog == NULL) {
        return NULL;
    }
    uva__registry_lock();
    loop->debug.watchdog = NULL;
    if (uva__watcher_has(dog)) {
        if (--watcher_count > 0) {
            watcher_settle();
        } else {
            last = watcher;
            watcher = NULL;
            watcher_release(last->signal_number);
        }
    }
    uva__registry_unlock();
    if (last != NULL) {
        watcher_free(last);
    }
    return dog;
}
