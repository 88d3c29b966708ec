/*
 * What a thread gets that calls into a loop of another: each function that is
 * not for any thread refuses, changes nothing, and is named in the log with
 * the thread.
 */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/scopes.h"
#include "io/transports.h"
#include "streams/streams.h"

/* One of each, on a loop that waits meanwhile; somebody waits for each. */
typedef struct world_s {
    uva_loop_t *loop;
    uva_future_t *future; /* Pending. */
    uva_future_t *failed; /* And nobody has looked at it. */
    uva_task_t *task;     /* It was asked to cancel and took that back. */
    uva_handle_t *handle;
    uva_coroutine_t *coroutine;
    uva_as_completed_t iterator;
    uva_timeout_t timeout;
    uva_taskgroup_t group;
    uva_lock_t lock;
    uva_event_t event;
    uva_condition_t condition;
    uva_semaphore_t semaphore;
    uva_semaphore_t bounded;
    uva_queue_t queue; /* Empty. */
    uva_queue_t full;
    uva_queue_t unfinished;
    uva_server_t *server;
    uva_reader_t *reader; /* Of the connection. */
    uva_writer_t *writer;
    uva_reader_t *fed; /* Of its own. */
} world_t;

/* --- what must not change --- */

typedef struct piece_s {
    const char *name;
    const void *at;
    size_t size;
} piece_t;

enum {
    PIECES = 9
};

static void world_pieces(const world_t *w, piece_t *pieces)
{
    const piece_t all[PIECES] = {
        /* What the mutex is for is of all threads. */
        {"the loop", w->loop, offsetof(uva_loop_t, mutex)},
        {"a future", w->future, sizeof(uva__plain_future_t)},
        {"a failed future", w->failed, sizeof(uva__plain_future_t)},
        {"a task", w->task, sizeof(uva__stackful_t)},
        {"a task's group", w->group.entry, sizeof(uva__scope_t)},
        {"a transport", uva_writer_transport(w->writer),
         sizeof(uva_transport_t)},
        {"a writer", w->writer, sizeof(uva_writer_t)},
        {"a reader", w->fed, sizeof(uva_reader_t)},
        {"the world", w, sizeof *w},
    };

    memcpy(pieces, all, sizeof all);
}

static void pieces_copy(const piece_t *pieces, void **copies)
{
    for (int i = 0; i < PIECES; i++) {
        copies[i] = malloc(pieces[i].size);
        memcpy(copies[i], pieces[i].at, pieces[i].size);
    }
}

static void pieces_check(const piece_t *pieces, void **copies, const char *call)
{
    for (int i = 0; i < PIECES; i++) {
        ck_assert_msg(uva_test_on_valgrind() ||
                          memcmp(copies[i], pieces[i].at, pieces[i].size) == 0,
                      "%s changed %s", call, pieces[i].name);
        free(copies[i]);
    }
}

/* --- the calls --- */

static int dropped;

static void drop(void *data)
{
    (void)data;
    dropped++;
}

static void ignore(void *data)
{
    (void)data;
}

static void ignore_future(uva_future_t *future, void *data)
{
    (void)future;
    (void)data;
}

static int never(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_abort_msg("it was refused");
    return 0;
}

UVA_TASK_DROP(void, owner, owner_drop, int *dropped;)
{
    (void)args;
    return never(NULL, NULL);
}

static void owner_drop(owner_args_t *args)
{
    ++*args->dropped;
}

static uva_task_t *factory(uva_loop_t *loop,
                           uva_coro_cb body,
                           void *arg,
                           const uva_task_options_t *options,
                           void *data)
{
    (void)loop, (void)body, (void)arg, (void)options, (void)data;
    ck_abort_msg("a factory was called in a wrong thread");
    return NULL;
}

/* The code of a task or future that was refused. */
#define REFUSED(made) uva_future_exception(UVA_FUTURE(made))
/* A call that gives nothing. */
#define NOTHING(call) (call, 0)

/* The name in the log, what it gives, the call. */
#define CALLS(X)                                                              \
    X(uva_loop_uv, 0, uva_loop_uv(w->loop) != NULL)                           \
    X(uva_loop_stop, 0, NOTHING(uva_loop_stop(w->loop)))                      \
    X(uva_loop_close, UV_EPERM, uva_loop_close(w->loop))                      \
    X(uva_loop_shutdown, UV_EPERM, uva_loop_shutdown(w->loop, NULL))          \
    X(uva_loop_shutdown, UV_EPERM, uva_loop_shutdown(w->loop, NULL))          \
    X(uva_loop_call_soon, UV_EPERM,                                           \
      uva_loop_call_soon(w->loop, ignore, NULL, NULL, NULL))                  \
    X(uva_loop_call_later, UV_EPERM,                                          \
      uva_loop_call_later(w->loop, 1, ignore, NULL, NULL, NULL))              \
    X(uva_loop_call_at, UV_EPERM,                                             \
      uva_loop_call_at(w->loop, 1, ignore, NULL, NULL, NULL))                 \
    X(uva_handle_cancel, 0, NOTHING(uva_handle_cancel(w->handle)))            \
    X(uva_handle_unref, 0, NOTHING(uva_handle_unref(w->handle)))              \
    X(uva_loop_set_exception_handler, 0,                                      \
      NOTHING(uva_loop_set_exception_handler(                                 \
          w->loop, uva_loop_get_exception_handler(w->loop, NULL), w)))        \
    X(uva_loop_call_exception_handler, 0,                                     \
      NOTHING(uva_loop_call_exception_handler(                                \
          w->loop, &(uva_exception_t){sizeof(uva_exception_t), "no", 0, NULL, \
                                      NULL, NULL, NULL, NULL})))              \
    X(uva_loop_set_debug, 0, NOTHING(uva_loop_set_debug(w->loop, true)))      \
    X(uva_loop_set_slow_callback, 0,                                          \
      NOTHING(uva_loop_set_slow_callback(w->loop, 1)))                        \
    X(uva_loop_set_task_factory, 0,                                           \
      NOTHING(uva_loop_set_task_factory(w->loop, factory, NULL)))             \
    X(uva_loop_trim_stacks, 0, uva_loop_trim_stacks(w->loop))                 \
    X(uva_loop_format_tasks, UV_EPERM,                                        \
      uva_loop_format_tasks(w->loop, &(uva_buffer_t){0}))                     \
    X(uva_format_call_graph, UV_EPERM,                                        \
      uva_format_call_graph(w->future, &(uva_buffer_t){0}))                   \
    X(uva_loop_create_future, UV_EPERM,                                       \
      REFUSED(uva_loop_create_future(w->loop)))                               \
    X(uva_future_ref, 0, uva_future_ref(w->future) != w->future)              \
    X(uva_future_unref, 0, NOTHING(uva_future_unref(w->future)))              \
    X(uva_future_set_result, UV_EPERM,                                        \
      uva_future_set_result(w->future, NULL, drop))                           \
    X(uva_future_set_exception, UV_EPERM,                                     \
      uva_future_set_exception(w->future, UV_EIO, NULL))                      \
    X(uva_future_set_error, UV_EPERM, uva_future_set_error(w->future, NULL))  \
    X(uva_future_result, UV_EPERM, uva_future_result(w->failed, NULL))        \
    X(uva_future_exception, UV_EPERM, uva_future_exception(w->failed))        \
    X(uva_future_cancel, 0, uva_future_cancel(w->future))                     \
    X(uva_future_cancel_message, 0, uva_future_cancel_message(w->future, "")) \
    X(uva_future_add_done_callback, UV_EPERM,                                 \
      uva_future_add_done_callback(w->future, ignore_future, NULL, NULL))     \
    X(uva_future_remove_done_callback, 0,                                     \
      uva_future_remove_done_callback(w->future, ignore_future, w))           \
    X(uva_future_add_to_awaited_by, UV_EPERM,                                 \
      uva_future_add_to_awaited_by(w->future, UVA_FUTURE(w->task)))           \
    X(uva_join, UVA_ENOTASK, uva_join(w->failed, NULL))                       \
    X(uva_gather, UVA_ENOTASK, uva_gather(&w->future, 1, 0, NULL))            \
    X(uva_shield_future, UV_EPERM, REFUSED(uva_shield_future(w->future)))     \
    X(uva_create_task, UV_EPERM,                                              \
      REFUSED(uva_loop_create_task(w->loop, never, NULL, NULL)))              \
    X(uva_spawn, UV_EPERM,                                                    \
      REFUSED(uva_spawn_with(ON_LOOP(w->loop), owner, &dropped)))             \
    X(uva_ensure_future, UV_EPERM,                                            \
      REFUSED(                                                                \
          uva_ensure_future(&(uva_awaitable_t){.future = w->future}, NULL)))  \
    X(uva_task_cancel, 0, uva_task_cancel(w->task))                           \
    X(uva_future_cancel_message, 0,                                           \
      uva_future_cancel_message(UVA_FUTURE(w->task), "no"))                   \
    X(uva_task_uncancel, 1, uva_task_uncancel(w->task))                       \
    X(uva_task_set_name, UV_EPERM, uva_task_set_name(w->task, "wrong"))       \
    X(uva_task_get_name, 0, uva_task_get_name(w->task)[0])                    \
    X(uva_as_completed_destroy, 0,                                            \
      NOTHING(uva_as_completed_destroy(&w->iterator)))                        \
    X(uva_timeout_reschedule, UV_EPERM,                                       \
      uva_timeout_reschedule(&w->timeout, 0))                                 \
    X(uva_timeout_exit, UV_EPERM, uva_timeout_exit(&w->timeout, 0))           \
    X(uva_taskgroup_cancel, 0, NOTHING(uva_taskgroup_cancel(&w->group)))      \
    X(uva_taskgroup_create_task, UV_EPERM,                                    \
      REFUSED(uva_taskgroup_create_task(&w->group, never, NULL, NULL)))       \
    X(uva_taskgroup_spawn, UV_EPERM,                                          \
      REFUSED(uva_taskgroup_spawn(&w->group, owner, &dropped)))               \
    X(uva_coroutine_send, UV_EPERM,                                           \
      uva_coroutine_send(w->coroutine, NULL, NULL))                           \
    X(uva_coroutine_throw, UV_EPERM,                                          \
      uva_coroutine_throw(w->coroutine, UV_EIO, NULL))                        \
    X(uva_coroutine_ref, 0, NOTHING(uva_coroutine_ref(w->coroutine)))         \
    X(uva_coroutine_unref, 0, NOTHING(uva_coroutine_unref(w->coroutine)))     \
    SYNC_CALLS(X)                                                             \
    IO_CALLS(X)
#define SYNC_CALLS(X)                                                         \
    X(uva_lock_release, UV_EPERM, uva_lock_release(&w->lock))                 \
    X(uva_event_set, 0, NOTHING(uva_event_set(&w->event)))                    \
    X(uva_event_clear, 0, NOTHING(uva_event_clear(&w->event)))                \
    X(uva_condition_notify, UV_EPERM, uva_condition_notify(&w->condition, 1)) \
    X(uva_lock_release, UV_EPERM, uva_condition_release(&w->condition))       \
    X(uva_semaphore_release, UV_EPERM, uva_semaphore_release(&w->semaphore))  \
    X(uva_semaphore_release, UV_EPERM, uva_semaphore_release(&w->bounded))    \
    X(uva_queue_put_nowait, UV_EPERM, uva_queue_put_nowait(&w->queue, w))     \
    X(uva_queue_get_nowait, UV_EPERM,                                         \
      uva_queue_get_nowait(&w->full, &(void *){NULL}))                        \
    X(uva_queue_task_done, UV_EPERM, uva_queue_task_done(&w->unfinished))     \
    X(uva_queue_shutdown, 0, NOTHING(uva_queue_shutdown(&w->queue, false)))   \
    X(uva_queue_set_overflow, UV_EPERM,                                       \
      uva_queue_set_overflow(&w->queue, UVA_QUEUE_DROP_OLDEST))               \
    X(uva_queue_set_destroy, 0,                                               \
      NOTHING(uva_queue_set_destroy(&w->queue, drop)))                        \
    X(uva_queue_destroy, 0, NOTHING(uva_queue_destroy(&w->full)))
#define IO_CALLS(X)                                                           \
    X(uva_transport_ref, 0, NOTHING(uva_writer_ref(w->writer)))               \
    X(uva_transport_unref, 0, NOTHING(uva_writer_unref(w->writer)))           \
    X(uva_transport_write, UV_EPERM, uva_writer_write(w->writer, "a", 1))     \
    X(uva_transport_writelines, UV_EPERM,                                     \
      uva_writer_writelines(w->writer,                                        \
                            &(uva_bytes_t){(const uint8_t *)"a", 1}, 1))      \
    X(uva_transport_write_eof, UV_EPERM, uva_writer_write_eof(w->writer))     \
    X(uva_connection_close, UV_EPERM,                                         \
      uva_connection_close(w->reader, w->writer))                             \
    X(uva_transport_close, 0, NOTHING(uva_writer_close(w->writer)))           \
    X(uva_transport_abort, 0,                                                 \
      NOTHING(uva_transport_abort(uva_writer_transport(w->writer))))          \
    X(uva_transport_pause_reading, 0,                                         \
      NOTHING(uva_transport_pause_reading(uva_writer_transport(w->writer))))  \
    X(uva_transport_resume_reading, 0,                                        \
      NOTHING(uva_transport_resume_reading(uva_writer_transport(w->writer)))) \
    X(uva_transport_set_write_buffer_limits, UV_EPERM,                        \
      uva_transport_set_write_buffer_limits(uva_writer_transport(w->writer),  \
                                            2, 1))                            \
    X(uva_server_ref, 0, NOTHING(uva_server_ref(w->server)))                  \
    X(uva_server_unref, 0, NOTHING(uva_server_unref(w->server)))              \
    X(uva_server_close, 0, NOTHING(uva_server_close(w->server)))              \
    X(uva_server_close_clients, 0,                                            \
      NOTHING(uva_server_close_clients(w->server)))                           \
    X(uva_server_abort_clients, 0,                                            \
      NOTHING(uva_server_abort_clients(w->server)))                           \
    X(uva_reader_ref, 0, NOTHING(uva_reader_ref(w->fed)))                     \
    X(uva_reader_unref, 0, NOTHING(uva_reader_unref(w->fed)))                 \
    X(uva_reader_feed_data, UV_EPERM, uva_reader_feed_data(w->fed, "a", 1))   \
    X(uva_reader_feed_eof, 0, NOTHING(uva_reader_feed_eof(w->fed)))           \
    X(uva_reader_set_exception, 0,                                            \
      NOTHING(uva_reader_set_exception(w->fed, UV_EIO)))

typedef struct call_s {
    const char *name;
    int result;
} call_t;

#define CALL_ENTRY(name, result, call) {#name, result},
static const call_t calls[] = {CALLS(CALL_ENTRY)};

static int call_one(world_t *w, int number)
{
    int next = 0;

#define CALL_CASE(name, result, call) \
    if (number == next++) {           \
        return (int)(call);           \
    }
    CALLS(CALL_CASE)
    return 0;
}

static void call_all(void *data)
{
    world_t *w = data;
    piece_t pieces[PIECES];
    void *copies[PIECES];
    char words[128];

    world_pieces(w, pieces);
    for (int i = 0; i < (int)UVA__COUNT(calls); i++) {
        const call_t *call = &calls[i];

        uva_test_log_begin();
        pieces_copy(pieces, copies);
        ck_assert_msg(call_one(w, i) == call->result, "%s", call->name);
        pieces_check(pieces, copies, call->name);
        (void)snprintf(words, sizeof words, ": %s in thread %llu\n", call->name,
                       (unsigned long long)uva__thread_number());
        ck_assert_msg(strstr(uva_test_log(), words) != NULL, "no \"%s\" in: %s",
                      words, uva_test_log());
        uva_test_log_end();
    }
}

/* --- the world --- */

enum {
    WAITERS = 9
};

static int wait_for_one(world_t *w, int which)
{
    void *item;
    int r = 0;

    switch (which) {
    case 0:
        return uva_event_wait(&w->event);
    case 1:
        return uva_lock_acquire(&w->lock);
    case 2:
        return uva_semaphore_acquire(&w->semaphore);
    case 3:
        return uva_semaphore_acquire(&w->bounded);
    case 4:
        return uva_queue_get(&w->queue, &item);
    case 5:
        return uva_queue_put(&w->full, w);
    case 6:
        return uva_queue_join(&w->unfinished);
    case 7:
        r = uva_condition_acquire(&w->condition);
        return r < 0 ? r : uva_condition_wait(&w->condition);
    default:
        return uva_condition_acquire(&w->condition);
    }
}

UVA_TASK(void, waiter, world_t *w; int which;)
{
    return wait_for_one(args->w, args->which);
}

static int sleeps(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(UVA_FOREVER);
}

static int yields(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_coroutine_yield(arg, NULL);
}

static int serve_nobody(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    (void)reader, (void)writer, (void)arg;
    return 0;
}

static void world_make_primitives(world_t *w)
{
    uva_lock_init(&w->lock);
    uva_event_init(&w->event);
    uva_condition_init(&w->condition, NULL);
    ck_assert_int_eq(uva_semaphore_init(&w->semaphore, 0), 0);
    ck_assert_int_eq(uva_bounded_semaphore_init(&w->bounded, 1), 0);
    uva_queue_init(&w->queue, 0);
    uva_queue_init(&w->full, 1);
    uva_queue_init(&w->unfinished, 0);
    ck_assert_int_eq(uva_lock_acquire(&w->lock), 0);
    ck_assert_int_eq(uva_semaphore_acquire(&w->bounded), 0);
    ck_assert_int_eq(uva_queue_put_nowait(&w->full, w), 0);
    ck_assert_int_eq(uva_queue_put_nowait(&w->unfinished, w), 0);
}

static void world_make(world_t *w, uva_test_link_t *link)
{
    uva_future_ref_t futures[1];

    w->loop = uva_get_running_loop();
    w->future = uva_create_future();
    w->failed = uva_create_future();
    ck_assert_int_eq(uva_future_set_exception(w->failed, UV_EIO, NULL), 0);
    w->task = uva_create_task(sleeps, NULL);
    ck_assert_int_eq(uva_loop_call_later(w->loop, UVA_SEC(99), ignore, NULL,
                                         NULL, &w->handle),
                     0);
    ck_assert_int_eq(uva_coroutine_new(yields, NULL, NULL, &w->coroutine), 0);
    futures[0] = w->future;
    ck_assert_int_eq(
        uva_as_completed_start(&w->iterator, futures, 1, UVA_FOREVER), 0);
    world_make_primitives(w);
    ck_assert_int_eq(uva_start_server_callback(serve_nobody, NULL, "127.0.0.1",
                                               "0", NULL, &w->server),
                     0);
    uva_test_link(link, NULL);
    w->reader = link->reader;
    w->writer = link->writer;
    ck_assert_int_eq(uva_reader_new(0, &w->fed), 0);
}

/* What the right thread does goes on as if nothing had been. */
static void world_use(world_t *w, waiter_task_t **waiters)
{
    void *item;

    uva_event_set(&w->event);
    ck_assert_int_eq(uva_lock_release(&w->lock), 0);
    ck_assert_int_eq(uva_semaphore_release(&w->semaphore), 0);
    ck_assert_int_eq(uva_semaphore_release(&w->bounded), 0);
    ck_assert_int_eq(uva_queue_put_nowait(&w->queue, w), 0);
    ck_assert_int_eq(uva_queue_get_nowait(&w->full, &item), 0);
    ck_assert_ptr_eq(item, w);
    ck_assert_int_eq(uva_queue_task_done(&w->unfinished), 0);
    ck_assert_int_eq(uva_condition_notify(&w->condition, 1), 0);
    ck_assert_int_eq(uva_condition_release(&w->condition), 0);
    ck_assert_int_eq(waiter_gather(waiters, WAITERS, 0, NULL, NULL), 0);
}

static void world_end(world_t *w, uva_test_link_t *link)
{
    uva_queue_destroy(&w->queue);
    uva_queue_destroy(&w->full);
    uva_queue_destroy(&w->unfinished);
    uva_reader_unref(w->fed);
    uva_test_unlink(link);
    uva_server_close(w->server);
    uva_server_unref(w->server);
    uva_coroutine_unref(w->coroutine);
    uva_handle_cancel(w->handle);
    uva_handle_unref(w->handle);
    uva_as_completed_destroy(&w->iterator);
    ck_assert_int_eq(uva_future_exception(w->failed), UV_EIO);
    uva_future_unref(w->failed);
    uva_future_unref(w->future);
    (void)uva_task_cancel(w->task);
    ck_assert_int_eq(uva_join(UVA_FUTURE(w->task), NULL), UV_ECANCELED);
}

/* --- a task of another loop, in a thread of its own --- */

static int use_strange_ones(void *arg, void **ret_result)
{
    world_t *w = arg;
    void *item;

    (void)ret_result;
    ck_assert_int_eq(uva_lock_acquire(&w->lock), UV_EPERM);
    ck_assert_int_eq(uva_semaphore_acquire(&w->semaphore), UV_EPERM);
    ck_assert_int_eq(uva_event_wait(&w->event), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_queue_put(&w->queue, w), UV_EPERM);
    ck_assert_int_eq(uva_queue_get(&w->full, &item), UV_EPERM);
    ck_assert_int_eq(uva_join(w->failed, NULL), UV_EPERM);
    ck_assert_int_eq(uva_join(w->future, NULL), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_gather(&w->future, 1, 0, NULL), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_wait_for(w->future, 0, NULL), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_as_completed_next(&w->iterator, &w->future),
                     UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_server_serve_forever(w->server), UV_EPERM);
    ck_assert_int_eq(uva_server_start_serving(w->server), UV_EPERM);
    return 0;
}

static void run_a_stranger(void *data)
{
    world_t *w = data;
    piece_t pieces[PIECES];
    void *copies[PIECES];

    world_pieces(w, pieces);
    pieces_copy(pieces, copies);
    ck_assert_int_eq(uva_run(use_strange_ones, w, NULL, NULL), 0);
    pieces_check(pieces, copies, "a task of another loop");
}

static const struct {
    const char *name;
    uv_thread_cb body;
    int dropped; /* What was refused with its data. */
} threads[] = {
    {"wrong_thread_changes_nothing", call_all, 3},
    {"strange_task_changes_nothing", run_a_stranger, 0},
};

UVA_NET_TEST(nothing_changes)
{
    world_t w = {.loop = NULL};
    waiter_task_t *waiters[WAITERS];
    uva_test_link_t link;
    uv_thread_t thread;

    world_make(&w, &link);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = uva_spawn(waiter, .w = &w, .which = i);
    }
    UVA_TICK();
    ck_assert(uva_task_cancel(w.task)); /* So that there is one to take back. */
    ck_assert_int_eq(uva_timeout_enter(&w.timeout, UVA_SEC(99)), 0);
    ck_assert_int_eq(uva_taskgroup_enter(&w.group), 0);
    uva_test_log_begin();
    dropped = 0;
    ck_assert_int_eq(uv_thread_create(&thread, UVA_ROW(threads)->body, &w), 0);
    ck_assert_int_eq(uv_thread_join(&thread), 0);
    uva_test_log_end();
    ck_assert_int_eq(dropped, UVA_ROW(threads)->dropped);
    ck_assert_int_eq(uva_taskgroup_exit(&w.group, 0), 0);
    ck_assert_int_eq(uva_timeout_exit(&w.timeout, 0), 0);
    world_use(&w, waiters);
    world_end(&w, &link);
}

int main(void)
{
    Suite *suite = suite_create("wrong_thread");
    TCase *tcase = UVA_TCASE(suite, "Calls");

    UVA_ADD_TABLE(tcase, nothing_changes, threads);
    return uva_test_main(suite);
}
