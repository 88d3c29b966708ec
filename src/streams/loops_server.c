/*
 * A server on each of several loops (uva/loops.h), by SO_REUSEPORT.
 *
 * Invariant: the server of a loop is made, used and closed in the thread of
 * that loop. A promise there, which needs no memory to be completed, tells it
 * to go when the server of another loop could not be made.
 */
#include "uva/connections.h"

#include "uva/threads.h"

#include "base/alloc.h"
#include "base/format.h"
#include "base/util.h"
#include "threads/loops.h"

/* What all of them are started with, on the stack of uva__loops_start_server,
 * which waits for each. */
typedef struct start_s {
    uva_loops_t *loops;
    unsigned index;
    const uva__coro_t *coro;
    const void *args;
    size_t reader_offset;
    size_t writer_offset;
    const char *host;
    const char *port;
    const uva_server_options_t *options;
    uint16_t bound_port;
    uva_promise_t *give_up; /* Counted: of the one that was started. */
} start_t;

/* The server of one loop. */
typedef struct shard_s {
    uva__loops_kept_t kept;
    uva_server_t *server;   /* Counted. */
    uva_promise_t *give_up; /* Counted. */
} shard_t;

static void shard_given_up(uva_future_t *future, void *data);

static void shard_free(uva__loops_kept_t *kept)
{
    shard_t *shard = UVA__CONTAINER_OF(kept, shard_t, kept);

    (void)uva_future_remove_done_callback(uva_promise_future(shard->give_up),
                                          shard_given_up, shard);
    uva_server_close(shard->server);
    uva_server_unref(shard->server);
    uva_promise_unref(shard->give_up);
    uva__free(shard);
}

/* The loops stop. */
static int shard_drain(void *arg, void **ret_result)
{
    uva__loops_kept_t *kept = arg;
    shard_t *shard = UVA__CONTAINER_OF(kept, shard_t, kept);
    int r = uva_server_shutdown(shard->server, kept->grace_ns);

    (void)ret_result;
    return r < 0 ? r : 0;
}

/* The server of another loop could not be made. */
static void shard_given_up(uva_future_t *future, void *data)
{
    shard_t *shard = data;

    (void)future;
    uva__loops_let_go(&shard->kept);
    uva_server_abort_clients(shard->server);
    shard_free(&shard->kept);
}

/* Keep a server that was started until the loops stop. */
static int shard_keep(start_t *start, shard_t *shard)
{
    int r;

    shard->kept.drain = shard_drain;
    shard->kept.free = shard_free;
    shard->give_up = uva_promise_new();
    r = uva_future_add_done_callback(uva_promise_future(shard->give_up),
                                     shard_given_up, shard, NULL);
    if (r >= 0) {
        r = uva__loops_keep(start->loops, start->index, &shard->kept);
    }
    if (r >= 0) {
        start->bound_port = uva_server_port(shard->server);
        start->give_up = uva_promise_ref(shard->give_up);
    }
    return r;
}

/* The body of a task of one of the loops. */
static int shard_start(void *arg, void **ret_result)
{
    start_t *start = arg;
    shard_t *shard = uva__calloc(1, sizeof *shard);
    int r;

    (void)ret_result;
    if (shard == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = uva__start_server(start->coro, start->args, start->reader_offset,
                          start->writer_offset, start->host, start->port,
                          start->options, &shard->server);
    if (r < 0) {
        uva__free(shard);
        return r;
    }
    r = shard_keep(start, shard);
    if (r < 0) {
        shard_free(&shard->kept);
    }
    return r;
}

/* Start a server on each loop; the port of the first is that of all. */
static int shards_start(start_t *start, uva_promise_t **give_ups)
{
    unsigned count = uva_loops_count(start->loops);
    char port[8];
    int r = 0;

    for (start->index = 0; start->index < count && r >= 0; start->index++) {
        uva_job_t *job = uva_run_on_loops(start->loops, (int)start->index,
                                          shard_start, start, NULL);

        r = uva_job_result(job, UVA_FOREVER, NULL);
        uva_job_unref(job);
        if (r >= 0) {
            give_ups[start->index] = start->give_up;
            (void)uva__format(port, sizeof port, "%u", start->bound_port);
            start->port = port;
        }
    }
    for (unsigned i = 0; i < count && give_ups[i] != NULL; i++) {
        if (r < 0) {
            (void)uva_promise_set_result(give_ups[i], NULL, NULL);
        }
        uva_promise_unref(give_ups[i]);
    }
    return r;
}

int uva__loops_start_server(uva_loops_t *loops,
                            const uva__coro_t *coro,
                            const void *args,
                            size_t reader_offset,
                            size_t writer_offset,
                            const char *host,
                            const char *port,
                            const uva_server_options_t *options,
                            uint16_t *ret_port)
{
    uva_server_options_t own = UVA_SERVER_OPTIONS_INIT;
    uva_promise_t **give_ups;
    start_t start = {.loops = loops,
                     .coro = coro,
                     .args = args,
                     .reader_offset = reader_offset,
                     .writer_offset = writer_offset,
                     .host = host,
                     .port = port,
                     .options = &own};
    int r;

    if (loops == NULL || uva_get_running_loop() != NULL) {
        return uva__bare(loops == NULL ? UV_EINVAL : UVA_EDEADLOCK);
    }
    if (options != NULL) {
        if (options->size < sizeof *options || options->fd_count > 0) {
            return uva__bare(UV_EINVAL);
        }
        own = *options;
    }
    own.reuse_port = true;
    give_ups = uva__calloc(uva_loops_count(loops), sizeof(uva_promise_t *));
    if (give_ups == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = shards_start(&start, give_ups);
    uva__free(give_ups);
    if (r >= 0 && ret_port != NULL) {
        *ret_port = start.bound_port;
    }
    return r;
}
