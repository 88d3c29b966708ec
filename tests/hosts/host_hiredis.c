/*
 * hiredis on its libuv adapter, with a Redis server on the socket that the
 * program is told. Tasks await replies; one gives up on a reply that comes
 * later, one waits for a message until the connection goes.
 */
#include "library.h"

#include <string.h>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <hiredis/adapters/libuv.h>

static redisAsyncContext *redis;

static void disconnected(const redisAsyncContext *context, int status)
{
    (void)context;
    (void)status;
    redis = NULL;
}

static int redis_open(uv_loop_t *loop, const char *place)
{
    redis = redisAsyncConnectUnix(place);
    if (redis == NULL || redis->err != 0) {
        return UV_ECONNREFUSED;
    }
    if (redisLibuvAttach(redis, loop) != REDIS_OK) {
        return UV_ENOMEM;
    }
    redisAsyncSetDisconnectCallback(redis, disconnected);
    return 0;
}

/* A reply of NULL: the connection is gone. */
static void replied(redisAsyncContext *context, void *data, void *future)
{
    const redisReply *reply = data;

    (void)context;
    if (reply == NULL) {
        library_done(future, UV_ECONNRESET, 0);
    } else if (reply->type == REDIS_REPLY_INTEGER) {
        library_done(future, 0, (intptr_t)reply->integer);
    } else {
        library_done(future, 0, (intptr_t)reply->len);
    }
}

/* Send a command. @return What a task awaits. */
static uva_future_t *command(const char *words)
{
    uva_future_t *future = library_future();

    if (redisAsyncCommand(redis, replied, future, words) != REDIS_OK) {
        library_done(future, UV_EPIPE, 0);
    }
    return future;
}

static int count_up(void *arg, void **ret_result)
{
    int r = library_await(command("DEL counter"));

    (void)ret_result;
    for (int i = 1; r >= 0 && i <= 100; i++) {
        r = library_await(command("INCR counter"));
        if (r != i) {
            guest_fail(arg, "INCR counted wrong");
        }
    }
    return r < 0 ? r : 0;
}

static int block(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return library_await(command("BRPOP queue 0.05"));
}

/* The reply to a task that was cancelled comes, and finds it gone. */
static int give_up(void *arg, void **ret_result)
{
    uva_task_t *task = uva_create_task(block, NULL);
    int r = uva_sleep(UVA_MS(2));

    (void)ret_result;
    uva_task_cancel(task);
    if (r == 0 && uva_await(UVA_FUTURE(task), NULL) != UV_ECANCELED) {
        guest_fail(arg, "a cancelled command ended otherwise");
    }
    uva_task_unref(task);
    r = library_await(command("ECHO behind"));
    if (r != 6) {
        guest_fail(arg, "ECHO came back changed");
    }
    return r < 0 ? r : 0;
}

static int wait_for_message(void *arg, void **ret_result)
{
    int r = library_await(command("BRPOP nothing 0"));

    (void)arg;
    (void)ret_result;
    return r < 0 ? r : 0;
}

/* Behind the others on the one connection that there is. */
static int all_in_turn(void *arg, void **ret_result)
{
    int r = count_up(arg, ret_result);

    if (r == 0) {
        r = give_up(arg, ret_result);
    }
    if (r == 0) {
        guest_linger(arg, wait_for_message, arg);
    }
    return r;
}

static void redis_work(guest_t *guest)
{
    guest_work(guest, all_in_turn, guest);
}

static void redis_close(void)
{
    if (redis != NULL) {
        redisAsyncFree(redis);
    }
    redis = NULL;
}

static bool redis_closed(void)
{
    return redis == NULL;
}

const library_t library = {redis_open, redis_work, redis_close, redis_closed};
