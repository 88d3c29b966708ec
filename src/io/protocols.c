/*
 * Protocols that users write, as consumers of transports (asyncio.protocols;
 * asyncio.selector_events, _SelectorSocketTransport, what it calls of its
 * protocol).
 *
 * Invariant: every callback runs in the drain, but pause_writing, which comes
 * inside the write that passes the mark. A callback may pause, close, abort or
 * replace: nothing of the transport is kept over it.
 */
#include "uva/protocols.h"

#include <unistd.h>

#include "base/log.h"
#include "core/owner.h"
#include "core/reports.h"
#include "io/stream_transport.h"

void *uva__protocol_cast_failed(const char *type)
{
    uva__log(UVA_LOG_ERROR,
             "UVA_PROTOCOL: the callbacks were not made for a %s", type);
    return NULL;
}

/* A callback has failed: report it, and lose the connection with its code.
 * asyncio: selector_events.py, _SelectorTransport._fatal_error. */
static void
protocol_failed(uva_transport_t *transport, int code, const char *message)
{
    uva__report(transport->loop, NULL, code, message);
    uva__transport_fail(transport, code);
}

/* --- the consumer --- */

static void protocol_init(void *state,
                          uva_transport_t *transport,
                          const uva__factory_t *factory,
                          size_t limit_bytes)
{
    uva_protocol_t *protocol = state;

    (void)transport; /* It is told when the connection is made. */
    (void)limit_bytes;
    protocol->ops = factory->callbacks;
    protocol->arg = factory->arg;
}

/* data would be of the server; a protocol has its own arg. */
static void protocol_made(void *state, uva_transport_t *transport, void *data)
{
    uva_protocol_t *protocol = state;
    int r = 0;

    (void)data;
    protocol->transport = transport;
    if (protocol->ops->connection_made != NULL) {
        r = protocol->ops->connection_made(protocol);
    }
    if (r < 0) {
        protocol_failed(transport, r,
                        "Fatal error: protocol.connection_made() call failed.");
    }
}

/* Receive into the memory that all sockets of the loop share, and let the
 * protocol have it. asyncio: _read_ready__data_received. */
static uva__received_t protocol_read_data(uva_protocol_t *protocol)
{
    uva_transport_t *transport = protocol->transport;
    uint8_t *scratch = uva__blocks_of(transport->loop)->scratch;
    ssize_t count =
        uva__medium_receive(transport->medium, scratch, UVA__READ_BYTES);
    int r = 0;

    if (count > 0 && protocol->ops->data_received != NULL) {
        r = protocol->ops->data_received(protocol,
                                         (uva_bytes_t){scratch, (size_t)count});
    }
    if (r < 0) {
        protocol_failed(transport, r,
                        "Fatal error: protocol.data_received() call failed.");
    }
    return (uva__received_t){count, UVA__READ_BYTES};
}

/* Receive into the protocol's own memory. asyncio:
 * _read_ready__get_buffer. */
static uva__received_t protocol_read_buffer(uva_protocol_t *protocol)
{
    uva_transport_t *transport = protocol->transport;
    void *data = NULL;
    size_t room = protocol->ops->get_buffer(protocol, 0, &data);
    ssize_t count;
    int r = 0;

    if (room == 0) {
        protocol_failed(transport, UV_ENOBUFS,
                        "Fatal error: protocol.get_buffer() call failed.");
        return (uva__received_t){UV_EAGAIN, 0};
    }
    /* get_buffer may have aborted, or set another protocol, which is asked in a
     * later read. */
    if (transport->medium == NULL || transport->consumer != protocol) {
        return (uva__received_t){UV_EAGAIN, 0};
    }
    count = uva__medium_receive(transport->medium, data, room);
    if (count > 0 && protocol->ops->buffer_updated != NULL) {
        r = protocol->ops->buffer_updated(protocol, (size_t)count);
    }
    if (r < 0) {
        protocol_failed(transport, r,
                        "Fatal error: protocol.buffer_updated() call failed.");
    }
    return (uva__received_t){count, room};
}

static uva__received_t protocol_read(void *state)
{
    uva_protocol_t *protocol = state;

    return protocol->ops->get_buffer == NULL ? protocol_read_data(protocol)
                                             : protocol_read_buffer(protocol);
}

/* asyncio: _read_ready__on_eof. */
static void protocol_eof_received(void *state)
{
    uva_protocol_t *protocol = state;
    uva_transport_t *transport = protocol->transport;
    int r = 0;

    if (protocol->ops->eof_received != NULL) {
        r = protocol->ops->eof_received(protocol);
    }
    if (r < 0) {
        protocol_failed(transport, r,
                        "Fatal error: protocol.eof_received() call failed.");
    } else if (r == 0) {
        uva_transport_close(transport);
    }
}

static void protocol_pause_writing(void *state)
{
    uva_protocol_t *protocol = state;

    if (protocol->ops->pause_writing != NULL) {
        protocol->ops->pause_writing(protocol);
    }
}

static void protocol_resume_writing(void *state)
{
    uva_protocol_t *protocol = state;

    if (protocol->ops->resume_writing != NULL) {
        protocol->ops->resume_writing(protocol);
    }
}

static void protocol_lost(void *state, int status)
{
    uva_protocol_t *protocol = state;

    if (protocol->ops->connection_lost != NULL) {
        protocol->ops->connection_lost(protocol, status);
    }
    protocol->transport = NULL;
}

static void protocol_replaced(void *state)
{
    uva_protocol_t *protocol = state;

    protocol->transport = NULL;
}

/* What a protocol owns it frees in connection_lost. */
static void protocol_destroy(void *state)
{
    (void)state;
}

static const uva__consumer_ops_t protocol_ops = {
    .hears_connect = true,
    .init = protocol_init,
    .connection_made = protocol_made,
    .read = protocol_read,
    .eof_received = protocol_eof_received,
    .pause_writing = protocol_pause_writing,
    .resume_writing = protocol_resume_writing,
    .connection_lost = protocol_lost,
    .replaced = protocol_replaced,
    .destroy = protocol_destroy,
};

/* --- which protocol --- */

/* Whether a table of callbacks is one of this version. */
static bool protocol_ops_fit(const uva_protocol_ops_t *ops)
{
    return ops != NULL && ops->size == sizeof *ops &&
           ops->protocol_bytes >= sizeof(uva_protocol_t);
}

uva_protocol_t *uva_transport_get_protocol(const uva_transport_t *transport)
{
    return transport->ops == &protocol_ops ? transport->consumer : NULL;
}

int uva_transport_set_protocol(uva_transport_t *transport,
                               uva_protocol_t *protocol)
{
    int r = 0;

    if (!uva__loop_owned(transport->loop) || !transport->made ||
        transport->state == UVA__TRANSPORT_CLOSED) {
        return uva__bare(UV_EPERM);
    }
    if (protocol == NULL || !protocol_ops_fit(protocol->ops)) {
        return uva__bare(UV_EINVAL);
    }
    if (transport->consumer != protocol) {
        r = uva__transport_replace(transport, &protocol_ops, protocol);
    }
    if (r >= 0) {
        protocol->transport = transport;
    }
    return uva__bare(r);
}

/* --- create_connection, create_server --- */

/* @retval UV_EINVAL The table of callbacks is not one. */
static int protocol_factory(const uva_protocol_ops_t *ops,
                            void *arg,
                            uva__factory_t *ret_factory)
{
    if (!protocol_ops_fit(ops)) {
        return uva__bare(UV_EINVAL);
    }
    *ret_factory = (uva__factory_t){.ops = &protocol_ops,
                                    .state_bytes = ops->protocol_bytes,
                                    .callbacks = ops,
                                    .arg = arg};
    return 0;
}

/* The poll of every create_connection. A descriptor is taken at once. */
static int protocol_connect(void **op,
                            const uva_protocol_ops_t *ops,
                            void *arg,
                            const uva__target_t *target,
                            const uva_connection_options_t *options,
                            uva_transport_t **ret_transport)
{
    uva__factory_t factory;
    int r = protocol_factory(ops, arg, &factory);

    if (r < 0) {
        if (target->kind >= UVA__TARGET_FD) {
            close(target->fd);
        }
        return r;
    }
    return uva__connect_poll(op, target, options, &factory, ret_transport);
}

/* The poll of every create_server. */
static int protocol_listen(uva_create_server_op_t *op,
                           const uva_protocol_ops_t *ops,
                           void *arg,
                           const uva__target_t *target,
                           const uva_server_options_t *options,
                           uva_server_t **ret_server)
{
    uva__factory_t factory;
    int r = protocol_factory(ops, arg, &factory);

    return r < 0 ? r
                 : uva__listen_poll(&op->state, target, options, &factory, NULL,
                                    NULL, ret_server);
}

int uva_create_connection_poll(uva_create_connection_op_t *op,
                               const uva_protocol_ops_t *ops,
                               void *arg,
                               const char *host,
                               const char *port,
                               const uva_connection_options_t *options,
                               uva_transport_t **ret_transport)
{
    uva__target_t target = {UVA__TARGET_HOST, host, port, -1};

    return protocol_connect(&op->state, ops, arg, &target, options,
                            ret_transport);
}

int uva_create_connection(const uva_protocol_ops_t *ops,
                          void *arg,
                          const char *host,
                          const char *port,
                          const uva_connection_options_t *options,
                          uva_transport_t **ret_transport)
{
    uva_create_connection_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_create_connection, &op, ops, arg, host, port, options,
              ret_transport);
    return r;
}

int uva_create_unix_connection_poll(uva_create_connection_op_t *op,
                                    const uva_protocol_ops_t *ops,
                                    void *arg,
                                    const char *path,
                                    const uva_connection_options_t *options,
                                    uva_transport_t **ret_transport)
{
    uva__target_t target = {UVA__TARGET_PATH, path, NULL, -1};

    return protocol_connect(&op->state, ops, arg, &target, options,
                            ret_transport);
}

int uva_create_unix_connection(const uva_protocol_ops_t *ops,
                               void *arg,
                               const char *path,
                               const uva_connection_options_t *options,
                               uva_transport_t **ret_transport)
{
    uva_create_connection_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_create_unix_connection, &op, ops, arg, path, options,
              ret_transport);
    return r;
}

int uva_create_connection_fd_poll(uva_create_connection_op_t *op,
                                  const uva_protocol_ops_t *ops,
                                  void *arg,
                                  int take_fd,
                                  const uva_connection_options_t *options,
                                  uva_transport_t **ret_transport)
{
    uva__target_t target = {UVA__TARGET_FD, NULL, NULL, take_fd};

    return protocol_connect(&op->state, ops, arg, &target, options,
                            ret_transport);
}

int uva_create_connection_fd(const uva_protocol_ops_t *ops,
                             void *arg,
                             int take_fd,
                             const uva_connection_options_t *options,
                             uva_transport_t **ret_transport)
{
    uva_create_connection_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_create_connection_fd, &op, ops, arg, take_fd, options,
              ret_transport);
    if (r == UVA_ENOTASK) { /* The poll was not called. */
        close(take_fd);
    }
    return r;
}

int uva_connect_read_pipe_poll(uva_connect_pipe_op_t *op,
                               const uva_protocol_ops_t *ops,
                               void *arg,
                               int take_fd,
                               uva_transport_t **ret_transport)
{
    uva__target_t target = {UVA__TARGET_READ_PIPE, NULL, NULL, take_fd};

    return protocol_connect(&op->state, ops, arg, &target, NULL, ret_transport);
}

int uva_connect_read_pipe(const uva_protocol_ops_t *ops,
                          void *arg,
                          int take_fd,
                          uva_transport_t **ret_transport)
{
    uva_connect_pipe_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_connect_read_pipe, &op, ops, arg, take_fd, ret_transport);
    if (r == UVA_ENOTASK) { /* The poll was not called. */
        close(take_fd);
    }
    return r;
}

int uva_connect_write_pipe_poll(uva_connect_pipe_op_t *op,
                                const uva_protocol_ops_t *ops,
                                void *arg,
                                int take_fd,
                                uva_transport_t **ret_transport)
{
    uva__target_t target = {UVA__TARGET_WRITE_PIPE, NULL, NULL, take_fd};

    return protocol_connect(&op->state, ops, arg, &target, NULL, ret_transport);
}

int uva_connect_write_pipe(const uva_protocol_ops_t *ops,
                           void *arg,
                           int take_fd,
                           uva_transport_t **ret_transport)
{
    uva_connect_pipe_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_connect_write_pipe, &op, ops, arg, take_fd, ret_transport);
    if (r == UVA_ENOTASK) { /* The poll was not called. */
        close(take_fd);
    }
    return r;
}

int uva_create_server_poll(uva_create_server_op_t *op,
                           const uva_protocol_ops_t *ops,
                           void *arg,
                           const char *host,
                           const char *port,
                           const uva_server_options_t *options,
                           uva_server_t **ret_server)
{
    uva__target_t target = {UVA__TARGET_HOST, host, port, -1};

    return protocol_listen(op, ops, arg, &target, options, ret_server);
}

int uva_create_server(const uva_protocol_ops_t *ops,
                      void *arg,
                      const char *host,
                      const char *port,
                      const uva_server_options_t *options,
                      uva_server_t **ret_server)
{
    uva_create_server_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_create_server, &op, ops, arg, host, port, options,
              ret_server);
    return r;
}

int uva_create_unix_server_poll(uva_create_server_op_t *op,
                                const uva_protocol_ops_t *ops,
                                void *arg,
                                const char *path,
                                const uva_server_options_t *options,
                                uva_server_t **ret_server)
{
    uva__target_t target = {UVA__TARGET_PATH, path, NULL, -1};

    return protocol_listen(op, ops, arg, &target, options, ret_server);
}

int uva_create_unix_server(const uva_protocol_ops_t *ops,
                           void *arg,
                           const char *path,
                           const uva_server_options_t *options,
                           uva_server_t **ret_server)
{
    uva_create_server_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_create_unix_server, &op, ops, arg, path, options,
              ret_server);
    return r;
}

int uva_transport_pair(size_t capacity_bytes,
                       const uva_protocol_ops_t *const ops[2],
                       void *const arg[2],
                       uva_transport_t *ret_transports[2])
{
    uva__factory_t factories[2];
    int r = 0;

    for (int i = 0; r >= 0 && i < 2; i++) {
        r = protocol_factory(ops[i], arg[i], &factories[i]);
    }
    return r < 0
               ? uva__bare(r)
               : uva__transport_pair(capacity_bytes, factories, ret_transports);
}

int uva_transport_from_uv(uv_stream_t *stream,
                          const uva_protocol_ops_t *ops,
                          void *arg,
                          uva_transport_t **ret_transport)
{
    uva__factory_t factory;
    int r = protocol_factory(ops, arg, &factory);

    return r < 0 ? r : uva__transport_adopt(stream, &factory, 0, ret_transport);
}
