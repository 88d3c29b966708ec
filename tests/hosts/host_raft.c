/*
 * libraft, one server that elects itself. Tasks await that entries of theirs
 * are applied; one gives up on an entry that is applied later, one does not
 * live to see its own.
 */
#include "library.h"

#include <stdlib.h>
#include <string.h>

#include <raft.h>
#include <raft/uv.h>

static struct raft_uv_transport transport;
static struct raft_io io;
static struct raft_fsm machine;
static struct raft server;
static uint64_t sum;
static bool gone;

/* --- the machine: a sum --- */

static int machine_apply(struct raft_fsm *fsm,
                         const struct raft_buffer *entry,
                         void **ret_result)
{
    (void)fsm;
    sum += *(const uint64_t *)entry->base;
    *ret_result = &sum;
    return 0;
}

static int machine_snapshot(struct raft_fsm *fsm,
                            struct raft_buffer *ret_buffers[],
                            unsigned *ret_count)
{
    (void)fsm;
    *ret_buffers = NULL;
    *ret_count = 0;
    return 0;
}

static int machine_restore(struct raft_fsm *fsm, struct raft_buffer *snapshot)
{
    (void)fsm;
    raft_free(snapshot->base);
    return 0;
}

static int server_open(uv_loop_t *loop, const char *place)
{
    const char *address = "127.0.0.1:0";
    struct raft_configuration configuration;

    if (raft_uv_tcp_init(&transport, loop) != 0 ||
        raft_uv_init(&io, loop, place, &transport) != 0) {
        return UV_EINVAL;
    }
    machine.version = 1;
    machine.apply = machine_apply;
    machine.snapshot = machine_snapshot;
    machine.restore = machine_restore;
    if (raft_init(&server, &io, &machine, 1, address) != 0) {
        return UV_EINVAL;
    }
    raft_configuration_init(&configuration);
    if (raft_configuration_add(&configuration, 1, address, RAFT_VOTER) != 0 ||
        raft_bootstrap(&server, &configuration) != 0) {
        return UV_EINVAL;
    }
    raft_configuration_close(&configuration);
    return raft_start(&server) == 0 ? 0 : UV_EIO;
}

/* --- entries --- */

static void applied(struct raft_apply *request, int status, void *result)
{
    uva_future_t *future = request->data;

    raft_free(request);
    if (status != 0) {
        library_done(future, UV_EIO, 0);
    } else {
        library_done(future, 0, (intptr_t) * (uint64_t *)result);
    }
}

/* @return What a task awaits: the sum behind the entry. */
static uva_future_t *add(uint64_t number)
{
    uva_future_t *future = library_future();
    struct raft_apply *request = raft_malloc(sizeof *request);
    struct raft_buffer entry;

    entry.len = sizeof number;
    entry.base = raft_malloc(entry.len);
    memcpy(entry.base, &number, sizeof number);
    request->data = future;
    if (raft_apply(&server, request, &entry, 1, applied) != 0) {
        raft_free(entry.base);
        raft_free(request);
        library_done(future, UV_EIO, 0);
    }
    return future;
}

static int add_one(void *arg, void **ret_result)
{
    int r = library_await(add(1));

    (void)arg;
    (void)ret_result;
    return r < 0 ? r : 0;
}

static int add_some(void *arg, void **ret_result)
{
    uva_task_t *task;
    int r = 0;

    (void)ret_result;
    for (int i = 1; r >= 0 && i <= 10; i++) {
        r = library_await(add(1));
        if (r != i) {
            guest_fail(arg, "an entry was applied wrong");
        }
    }
    if (r < 0) {
        return r;
    }
    /* The entry of a task that was cancelled is applied, and finds it gone. */
    task = uva_create_task(add_one, NULL);
    r = uva_sleep(0);
    uva_task_cancel(task);
    if (r == 0 && uva_await(UVA_FUTURE(task), NULL) != UV_ECANCELED) {
        guest_fail(arg, "a cancelled entry ended otherwise");
    }
    uva_task_unref(task);
    r = library_await(add(1));
    if (r != 12) {
        guest_fail(arg, "the entry of a cancelled task is missing");
    }
    return r < 0 ? r : 0;
}

static void server_work(guest_t *guest)
{
    guest_work(guest, add_some, guest);
}

static void server_closed(struct raft *raft)
{
    (void)raft;
    raft_uv_close(&io);
    raft_uv_tcp_close(&transport);
    gone = true;
}

static void server_close(void)
{
    raft_close(&server, server_closed);
}

static bool server_is_closed(void)
{
    return gone;
}

const library_t library = {server_open, server_work, server_close,
                           server_is_closed};
