/*
 * open_connection, start_server, their unix kin, and the protocol that stands
 * between a transport and its streams (asyncio.streams, StreamReaderProtocol).
 *
 * Invariant: reader, writer and transport are one object; every reference of
 * any of them is one of the transport's. The handler of a server has none: the
 * transport keeps itself until the handler's task has ended.
 */
#include "uva/streams.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "streams/streams.h"

/* The handler of a server of streams, which is spawned for each connection. The
 * server owns it. */
typedef struct service_s {
    const uva__coro_t *coro; /* Static: the handler's coroutine. */
    uva_context_t *context;  /* Counted: a copy of the context of the task that
                                started the server. */
    size_t reader_offset;    /* In args: where the reader goes. */
    size_t writer_offset;    /* In args: where the writer goes. */
    max_align_t args[]; /* The handler's arguments; each spawn copies them. */
} service_t;

/* --- the protocol --- */

/* The streams begin to exist, zeroed, behind their transport. The connection
 * may still fail to open; so they own nothing that would have to be freed. */
static void stream_init(void *state,
                        uva_transport_t *transport,
                        const uva__factory_t *factory,
                        size_t limit_bytes)
{
    uva__stream_t *stream = state;

    (void)factory;
    if (stream->writer.transport == NULL) {
        uva__input_init(&stream->reader.in, uva__transport_loop(transport),
                        transport, limit_bytes);
        stream->writer.transport = transport;
        stream->writer.reader = &stream->reader;
        uva__list_init(&stream->writer.drainers);
        uva__list_init(&stream->writer.closers);
    }
    /* Streams that stood here before go on: what has replaced them is over. */
    stream->reader.in.exception = 0;
    stream->reader.in.eof = false;
    stream->writer.lost = false;
    uva__transport_set_input(transport, &stream->reader.in);
}

static void stream_eof_received(void *state)
{
    uva__stream_t *stream = state;

    uva__input_end(&stream->reader.in, 0);
}

/* Inside a write: only remembered, as drain looks at it. */
static void stream_pause_writing(void *state)
{
    uva__stream_t *stream = state;

    stream->writer.paused = true;
}

static void stream_resume_writing(void *state)
{
    uva__stream_t *stream = state;

    uva__writer_resume(&stream->writer);
}

/* The reads hear of the loss first: whoever waits on the writer may ask them.
 */
static void stream_connection_lost(void *state, int status)
{
    uva__stream_t *stream = state;

    uva__input_lose(&stream->reader.in, status);
    uva__writer_lost(&stream->writer);
}

/* Every read and drain fails from now on, those that wait too. */
static void stream_replaced(void *state)
{
    uva__stream_t *stream = state;

    uva__input_end(&stream->reader.in, UV_EPERM);
    stream->writer.paused = false;
    uva__writer_lost(&stream->writer);
}

static void stream_destroy(void *state)
{
    uva__stream_t *stream = state;

    uva__input_destroy(&stream->reader.in);
}

/* A connection that was accepted, and the service that serves it: the argument
 * of stream_spawn. */
typedef struct accepted_s {
    uva__stream_t *stream;
    service_t *service;
} accepted_t;

/* Spawn the handler. The service's own args serve as the form: the two pointers
 * are put into it, and uva__spawn copies the whole before this returns. memcpy,
 * as the struct's type is known to the user's file alone. */
static void stream_spawn(void *data)
{
    const accepted_t *accepted = data;
    service_t *service = accepted->service;
    uva_writer_t *writer = &accepted->stream->writer;
    uva_reader_t *reader = &accepted->stream->reader;
    char *args = (char *)service->args;

    memcpy(args + service->reader_offset, &reader, sizeof reader);
    memcpy(args + service->writer_offset, &writer, sizeof writer);
    uva__transport_serve(
        writer->transport, &accepted->stream->handler,
        uva__spawn(service->coro, args, NULL, "uva_start_server"));
}

/* asyncio: streams.py, StreamReaderProtocol.connection_made. Only an accepted
 * connection hears it, from the ready queue: a task may be spawned here. */
static void
stream_connection_made(void *state, uva_transport_t *transport, void *data)
{
    accepted_t accepted = {.stream = state, .service = data};

    (void)transport;

    /* asyncio: the handle that accepts keeps the context of start_server, and
     * create_task copies it. If the context cannot be entered, the handler runs
     * all the same, outside of it. */
    if (uva_context_run(accepted.service->context, stream_spawn, &accepted) <
        0) {
        stream_spawn(&accepted);
    }
}

/* asyncio: streams.py, StreamReaderProtocol. Its data_received has no
 * counterpart: what comes is read into the input. */
static const uva__consumer_ops_t stream_ops = {
    .init = stream_init,
    .connection_made = stream_connection_made,
    .eof_received = stream_eof_received,
    .pause_writing = stream_pause_writing,
    .resume_writing = stream_resume_writing,
    .connection_lost = stream_connection_lost,
    .replaced = stream_replaced,
    .destroy = stream_destroy,
};

static const uva__factory_t stream_factory = {
    .ops = &stream_ops,
    .state_bytes = sizeof(uva__stream_t),
};

int uva_open_memory_connection(size_t capacity_bytes,
                               uva_reader_t *ret_readers[2],
                               uva_writer_t *ret_writers[2])
{
    const uva__factory_t factories[2] = {stream_factory, stream_factory};
    uva_transport_t *transports[2];
    int r = uva__transport_pair(capacity_bytes, factories, transports);

    for (int i = 0; r >= 0 && i < 2; i++) {
        uva__stream_t *stream = uva__transport_state(transports[i]);
        /* The reader gets the reference that was made. */
        ret_readers[i] = &stream->reader;
        ret_writers[i] = uva_writer_ref(&stream->writer);
    }
    return r;
}

int uva_stream_on(uva_transport_t *transport,
                  size_t limit_bytes,
                  uva_reader_t **ret_reader,
                  uva_writer_t **ret_writer)
{
    void *state;
    uva__stream_t *stream;
    int r;

    if (!uva_loop_owned(uva__transport_loop(transport), __func__) ||
        uva_transport_is_closing(transport)) {
        return uva__bare(UV_EPERM);
    }
    if (limit_bytes > UVA__STREAM_LIMIT_MOST) {
        return uva__bare(UV_EINVAL);
    }
    r = uva__transport_stand(transport, &stream_factory,
                             limit_bytes == 0 ? UVA_STREAM_LIMIT : limit_bytes,
                             &state);
    if (r < 0) {
        return uva__bare(r);
    }
    stream = state;
    *ret_reader = uva_reader_ref(&stream->reader);
    *ret_writer = uva_writer_ref(&stream->writer);
    return 0;
}

/* --- open_connection --- */

/* asyncio: streams.py, open_connection and open_unix_connection. */
static int stream_connect_poll(void **op,
                               const uva__target_t *target,
                               const uva_connection_options_t *options,
                               uva_reader_t **ret_reader,
                               uva_writer_t **ret_writer)
{
    uva_transport_t *transport;
    int r = uva__connect_poll(op, target, options, &stream_factory, &transport);

    if (r >= 0) {
        uva__stream_t *stream = uva__transport_state(transport);
        /* The reader gets the reference that connect has made. */
        *ret_reader = &stream->reader;
        *ret_writer = uva_writer_ref(&stream->writer);
    }
    return r;
}

int uva_open_connection_poll(uva_open_connection_op_t *op,
                             const char *host,
                             const char *port,
                             const uva_connection_options_t *options,
                             uva_reader_t **ret_reader,
                             uva_writer_t **ret_writer)
{
    uva__target_t target = {UVA__TARGET_HOST, host, port, -1};

    return stream_connect_poll(&op->state, &target, options, ret_reader,
                               ret_writer);
}

int uva_open_connection(const char *host,
                        const char *port,
                        const uva_connection_options_t *options,
                        uva_reader_t **ret_reader,
                        uva_writer_t **ret_writer)
{
    uva_open_connection_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_open_connection, &op, host, port, options, ret_reader,
              ret_writer);
    return r;
}

int uva_open_unix_connection_poll(uva_open_connection_op_t *op,
                                  const char *path,
                                  const uva_connection_options_t *options,
                                  uva_reader_t **ret_reader,
                                  uva_writer_t **ret_writer)
{
    uva__target_t target = {UVA__TARGET_PATH, path, NULL, -1};

    return stream_connect_poll(&op->state, &target, options, ret_reader,
                               ret_writer);
}

int uva_open_unix_connection(const char *path,
                             const uva_connection_options_t *options,
                             uva_reader_t **ret_reader,
                             uva_writer_t **ret_writer)
{
    uva_open_connection_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_open_unix_connection, &op, path, options, ret_reader,
              ret_writer);
    return r;
}

int uva_open_connection_fd(int take_fd,
                           const uva_connection_options_t *options,
                           uva_reader_t **ret_reader,
                           uva_writer_t **ret_writer)
{
    uva__target_t target = {UVA__TARGET_FD, NULL, NULL, take_fd};
    void *op = NULL;

    return stream_connect_poll(&op, &target, options, ret_reader, ret_writer);
}

int uva_open_uv_stream(uv_stream_t *stream,
                       size_t limit_bytes,
                       uva_reader_t **ret_reader,
                       uva_writer_t **ret_writer)
{
    uva_transport_t *transport;
    int r =
        uva__transport_adopt(stream, &stream_factory, limit_bytes, &transport);

    if (r >= 0) {
        uva__stream_t *self = uva__transport_state(transport);
        *ret_reader = &self->reader;
        *ret_writer = uva_writer_ref(&self->writer);
    }
    return r;
}

/* --- start_server --- */

/* The server is gone, and no handler runs; or it was never made: then
 * data may be NULL. */
static void service_free(void *data)
{
    service_t *service = data;

    if (service != NULL) {
        uva_context_unref(service->context);
        uva__free(service);
    }
}

/* Copy the arguments, and the context of the task that starts the server.
 * @return NULL without memory. */
static service_t *service_new(const uva__coro_t *coro, const void *args)
{
    service_t *service = uva__calloc(1, sizeof *service + coro->frame_bytes);

    if (service == NULL) {
        return NULL;
    }
    service->context = uva_copy_context();
    if (service->context == NULL) {
        service_free(service);
        return NULL;
    }
    service->coro = coro;
    memcpy(service->args, args, coro->frame_bytes);
    return service;
}

/* asyncio: streams.py, start_server and start_unix_server. The first call makes
 * the service; uva__listen_poll takes it, and frees it on failure. */
static int service_listen_poll(void **op,
                               const uva__coro_t *coro,
                               const void *args,
                               size_t reader_offset,
                               size_t writer_offset,
                               const uva__target_t *target,
                               const uva_server_options_t *options,
                               uva_server_t **ret_server)
{
    service_t *service = NULL;

    /* A second service would leak: only the first call makes one. */
    if (*op == NULL) {
        service = service_new(coro, args);
        if (service == NULL) {
            return uva__bare(UV_ENOMEM);
        }
        service->reader_offset = reader_offset;
        service->writer_offset = writer_offset;
    }
    return uva__listen_poll(op, target, options, &stream_factory, service,
                            service_free, ret_server);
}

int uva__start_server_poll(uva_start_server_op_t *op,
                           const uva__coro_t *coro,
                           const void *args,
                           size_t reader_offset,
                           size_t writer_offset,
                           const char *host,
                           const char *port,
                           const uva_server_options_t *options,
                           uva_server_t **ret_server)
{
    uva__target_t target = {UVA__TARGET_HOST, host, port, -1};

    return service_listen_poll(&op->state, coro, args, reader_offset,
                               writer_offset, &target, options, ret_server);
}

int uva__start_server(const uva__coro_t *coro,
                      const void *args,
                      size_t reader_offset,
                      size_t writer_offset,
                      const char *host,
                      const char *port,
                      const uva_server_options_t *options,
                      uva_server_t **ret_server)
{
    uva_start_server_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva__start_server, &op, coro, args, reader_offset,
              writer_offset, host, port, options, ret_server);
    return r;
}

int uva__start_unix_server_poll(uva_start_server_op_t *op,
                                const uva__coro_t *coro,
                                const void *args,
                                size_t reader_offset,
                                size_t writer_offset,
                                const char *path,
                                const uva_server_options_t *options,
                                uva_server_t **ret_server)
{
    uva__target_t target = {UVA__TARGET_PATH, path, NULL, -1};

    return service_listen_poll(&op->state, coro, args, reader_offset,
                               writer_offset, &target, options, ret_server);
}

int uva__start_unix_server(const uva__coro_t *coro,
                           const void *args,
                           size_t reader_offset,
                           size_t writer_offset,
                           const char *path,
                           const uva_server_options_t *options,
                           uva_server_t **ret_server)
{
    uva_start_server_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva__start_unix_server, &op, coro, args, reader_offset,
              writer_offset, path, options, ret_server);
    return r;
}

/* The coroutine of a callback's task: it calls the handler. function is the
 * handler's name, which the task bears in logs, so that a list of tasks does
 * not read "client_connected_cb" for each. */
struct client_connected_cb_args_s {
    const char *function; /* Static, or NULL. */
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_client_connected_cb handler;
    void *arg;
    char uva__z;
};
UVA__TYPES(void, client_connected_cb)

static int client_connected_cb__body(const client_connected_cb_args_t *args,
                                     client_connected_cb_ret_t *ret)
{
    (void)ret;
    return args->handler(args->reader, args->writer, args->arg);
}

UVA__CORO_NAMED(static, client_connected_cb, NULL, NULL, false)

int uva__start_server_callback_poll(uva_start_server_op_t *op,
                                    const char *function,
                                    uva_client_connected_cb handler,
                                    void *arg,
                                    const char *host,
                                    const char *port,
                                    const uva_server_options_t *options,
                                    uva_server_t **ret_server)
{
    if (handler == NULL) {
        return uva__bare(UV_EINVAL);
    }
    return uva_start_server_poll(op, client_connected_cb, host, port, options,
                                 ret_server, .function = function,
                                 .handler = handler, .arg = arg);
}

int uva__start_server_callback(const char *function,
                               uva_client_connected_cb handler,
                               void *arg,
                               const char *host,
                               const char *port,
                               const uva_server_options_t *options,
                               uva_server_t **ret_server)
{
    uva_start_server_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva__start_server_callback, &op, function, handler, arg, host,
              port, options, ret_server);
    return r;
}

int uva__start_unix_server_callback_poll(uva_start_server_op_t *op,
                                         const char *function,
                                         uva_client_connected_cb handler,
                                         void *arg,
                                         const char *path,
                                         const uva_server_options_t *options,
                                         uva_server_t **ret_server)
{
    if (handler == NULL) {
        return uva__bare(UV_EINVAL);
    }
    return uva_start_unix_server_poll(op, client_connected_cb, path, options,
                                      ret_server, .function = function,
                                      .handler = handler, .arg = arg);
}

int uva__start_unix_server_callback(const char *function,
                                    uva_client_connected_cb handler,
                                    void *arg,
                                    const char *path,
                                    const uva_server_options_t *options,
                                    uva_server_t **ret_server)
{
    uva_start_server_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva__start_unix_server_callback, &op, function, handler, arg,
              path, options, ret_server);
    return r;
}

/* The functions behind the macros of the same name, for pointers to functions
 * and other languages: the handler's name is not known. */

int(uva_start_server_callback_poll)(uva_start_server_op_t *op,
                                    uva_client_connected_cb handler,
                                    void *arg,
                                    const char *host,
                                    const char *port,
                                    const uva_server_options_t *options,
                                    uva_server_t **ret_server)
{
    return uva__start_server_callback_poll(op, NULL, handler, arg, host, port,
                                           options, ret_server);
}

int(uva_start_server_callback)(uva_client_connected_cb handler,
                               void *arg,
                               const char *host,
                               const char *port,
                               const uva_server_options_t *options,
                               uva_server_t **ret_server)
{
    return uva__start_server_callback(NULL, handler, arg, host, port, options,
                                      ret_server);
}

int(uva_start_unix_server_callback_poll)(uva_start_server_op_t *op,
                                         uva_client_connected_cb handler,
                                         void *arg,
                                         const char *path,
                                         const uva_server_options_t *options,
                                         uva_server_t **ret_server)
{
    return uva__start_unix_server_callback_poll(op, NULL, handler, arg, path,
                                                options, ret_server);
}

int(uva_start_unix_server_callback)(uva_client_connected_cb handler,
                                    void *arg,
                                    const char *path,
                                    const uva_server_options_t *options,
                                    uva_server_t **ret_server)
{
    return uva__start_unix_server_callback(NULL, handler, arg, path, options,
                                           ret_server);
}
