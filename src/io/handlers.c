/*
 * The handler of a connection: the task that serves an accepted connection
 * (asyncio.streams, StreamReaderProtocol.connection_made, its _task and the
 * task's done callback).
 *
 * Invariant: while transport->handler is set, the transport has a reference for
 * it. When the task ends, the transport is closed and the reference dropped,
 * so the handler's reader and writer are valid until the handler returns.
 */
#include "base/log.h"
#include "core/futures.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/reports.h"
#include "core/results.h"
#include "io/transports.h"

/* Whether a code tells the loss of a connection: its own code, or the
 * UV_ECONNRESET of a drain. */
static bool code_is_the_loss(const uva_transport_t *transport, int code)
{
    return code == transport->status || code == UV_ECONNRESET;
}

/* Whether a handler has failed because its own connection was lost; also by a
 * group whose tasks have all failed so. Any peer can cause this failure at
 * will, so it must not reach the exception handler. */
static bool client_was_lost(const uva_transport_t *transport,
                            uva_future_t *future)
{
    int code = uva__future_code(future);
    const uva_error_t *error = uva_future_error(future);
    size_t count = error == NULL ? 0 : uva_error_member_count(error);

    if (transport->state < UVA__TRANSPORT_LOST) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!code_is_the_loss(transport,
                              uva_error_code(uva_error_member(error, i)))) {
            return false;
        }
    }
    return code == UVA_EGROUP ? count > 0 : code_is_the_loss(transport, code);
}

/* Log the loss of a connection for debugging: a peer must not fill a log. */
static void client_tell(const uva__handler_t *handler, int code)
{
    char where[UVA__ADDRESS_TEXT];

    uva__peer_format(&handler->transport->peer, where);
    uva__log(UVA_LOG_DEBUG, "%s: the connection with %s was lost: %s (%s)",
             uva__task_function(handler->task), where, uva_strerror(code),
             uva_err_name(code));
}

/* The handler has ended. asyncio: streams.py, callback in
 * StreamReaderProtocol.connection_made; asyncio leaves the transport open if
 * the task returns normally, and closes it when the writer is collected. */
static void client_served(uva__ready_t *ready)
{
    uva__handler_t *handler =
        UVA__CONTAINER_OF(ready, uva__handler_t, record.ready);
    uva_transport_t *transport = handler->transport;
    uva_future_t *future = &handler->task->base;
    int r = uva__future_code(future);

    if (r < 0 && client_was_lost(transport, future)) {
        client_tell(handler, r);
    } else if (r < 0 && r != UV_ECANCELED) {
        uva__report(transport->loop, future, r,
                    "Unhandled exception in client_connected_cb");
    }
    /* The task's name and code are read above: the unref may free the task. The
     * transport's own reference goes last, as it may free the transport. */
    transport->handler = NULL;
    uva__future_unref(future);
    uva_transport_close(transport);
    (void)uva_transport_unref(transport);
}

static const uva__ready_ops_t client_ops = {.run = client_served,
                                            .drop = client_served};

void uva__transport_serve(uva_transport_t *transport,
                          uva__handler_t *handler,
                          uva_task_t *take_task)
{
    uva_future_t *future = UVA_FUTURE(take_task);

    /* The task could not be made: no memory, or the loop refuses tasks. */
    if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        uva__report(transport->loop, future, uva__future_code(future),
                    "Error on the start of client_connected_cb");
        uva_transport_close(transport);
        return;
    }
    transport->refs++;
    handler->transport = transport;
    handler->task = take_task;
    handler->record.ready.ops = &client_ops;
    transport->handler = handler;
    uva__future_add(future, &handler->record);
}

bool uva__transport_served(const uva_transport_t *transport)
{
    return transport->handler != NULL &&
           transport->handler->task == uva__task_current();
}
