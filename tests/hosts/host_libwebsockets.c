/*
 * libwebsockets on its libuv plugin, with a WebSocket server that sends back
 * what it gets and a client of it. Tasks await echoes; one gives up on an echo
 * that comes later, one waits for a message until the connection goes.
 */
#include "library.h"

#include <stdio.h>
#include <string.h>

#include <libwebsockets.h>

enum {
    MESSAGE_BYTES = 32,
    WAITERS = 4
};

typedef struct message_s {
    unsigned char padding[LWS_PRE];
    unsigned char text[MESSAGE_BYTES];
    size_t size;
} message_t;

static uv_loop_t *the_loop;
static struct lws_context *context;
static struct lws *client;
static message_t to_send;
static uva_future_t *connecting;
/* What waits for echoes: each holds the number that it is for. */
static struct {
    uva_future_t *future;
    int number;
} waiters[WAITERS];

/* --- the client's callbacks --- */

static void client_gone(void)
{
    client = NULL;
    if (connecting != NULL) {
        library_done(connecting, UV_ECONNREFUSED, 0);
        connecting = NULL;
    }
    for (int i = 0; i < WAITERS; i++) {
        if (waiters[i].future != NULL) {
            library_done(waiters[i].future, UV_ECONNRESET, 0);
            waiters[i].future = NULL;
        }
    }
}

static void client_received(const void *text, size_t size)
{
    char word[MESSAGE_BYTES + 1] = "";
    int number;

    memcpy(word, text, size < MESSAGE_BYTES ? size : MESSAGE_BYTES);
    if (sscanf(word, "number %d", &number) != 1) {
        return;
    }
    for (int i = 0; i < WAITERS; i++) {
        if (waiters[i].future != NULL && waiters[i].number == number) {
            library_done(waiters[i].future, 0, number);
            waiters[i].future = NULL;
        }
    }
}

static int send_message(struct lws *wsi, message_t *message)
{
    size_t size = message->size;

    message->size = 0;
    return size == 0 || lws_write(wsi, message->text, size, LWS_WRITE_TEXT) ==
                            (int)size
               ? 0
               : -1;
}

static int on_event(struct lws *wsi,
                    enum lws_callback_reasons reason,
                    void *session,
                    void *data,
                    size_t size)
{
    message_t *message = session;

    switch (reason) {
    case LWS_CALLBACK_RECEIVE:
        message->size = size < MESSAGE_BYTES ? size : MESSAGE_BYTES;
        memcpy(message->text, data, message->size);
        return lws_callback_on_writable(wsi) < 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return send_message(wsi, message);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        library_done(connecting, 0, 0);
        connecting = NULL;
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return send_message(wsi, &to_send);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        client_received(data, size);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLIENT_CLOSED:
        client_gone();
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {"echo", on_event, sizeof(message_t), 0, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

/* --- the tasks --- */

static int connect_client(void)
{
    struct lws_client_connect_info info;
    uva_future_t *future = library_future();

    connecting = future;
    memset(&info, 0, sizeof info);
    info.context = context;
    info.address = info.host = info.origin = "127.0.0.1";
    info.port =
        lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default"));
    info.path = "/";
    info.protocol = info.local_protocol_name = "echo";
    info.pwsi = &client;
    (void)lws_client_connect_via_info(&info);
    return library_await(future);
}

/* Send a number, unless it is negative. @return What a task awaits: that it
 * comes back. */
static uva_future_t *echo(int number)
{
    uva_future_t *future = library_future();
    int i = 0;

    while (i < WAITERS - 1 && waiters[i].future != NULL) {
        i++;
    }
    waiters[i].future = future;
    waiters[i].number = number;
    if (number >= 0) {
        to_send.size = (size_t)snprintf((char *)to_send.text, MESSAGE_BYTES,
                                        "number %d", number);
        (void)lws_callback_on_writable(client);
    }
    return future;
}

static int echo_one(void *arg, void **ret_result)
{
    int r = library_await(echo(*(int *)arg));

    (void)ret_result;
    return r < 0 ? r : 0;
}

static int wait_for_message(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return library_await(echo(-1));
}

static int echo_some(void *arg, void **ret_result)
{
    uva_task_t *task;
    int number = 0;
    int r = connect_client();

    (void)ret_result;
    for (; r >= 0 && number < 10; number++) {
        r = library_await(echo(number));
        if (r != number) {
            guest_fail(arg, "an echo came back changed");
        }
    }
    if (r < 0) {
        return r;
    }
    /* The echo to a task that was cancelled comes, and finds it gone. */
    task = uva_create_task(echo_one, &number);
    r = uva_sleep(0);
    uva_task_cancel(task);
    if (r == 0 && uva_await(UVA_FUTURE(task), NULL) != UV_ECANCELED) {
        guest_fail(arg, "a cancelled echo ended otherwise");
    }
    uva_task_unref(task);
    while (r == 0 && waiters[0].future != NULL) {
        r = uva_sleep(UVA_MS(1));
    }
    guest_linger(arg, wait_for_message, arg);
    return r;
}

static int sockets_open(uv_loop_t *loop, const char *place)
{
    struct lws_context_creation_info info;
    void *loops[1];

    (void)place;
    loops[0] = the_loop = loop;
    lws_set_log_level(LLL_ERR, NULL);
    memset(&info, 0, sizeof info);
    info.port = 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.options = LWS_SERVER_OPTION_LIBUV;
    info.foreign_loops = loops;
    info.pcontext = &context; /* NULL once it is gone. */
    info.gid = -1;
    info.uid = -1;
    context = lws_create_context(&info);
    return context == NULL ? UV_ENOTSUP : 0;
}

static void sockets_work(guest_t *guest)
{
    guest_work(guest, echo_some, guest);
}

static void sockets_close(void)
{
    lws_context_destroy(context);
}

static void count_handle(uv_handle_t *handle, void *count)
{
    if (handle->data == context) {
        ++*(int *)count;
    }
}

/* With the loop of somebody else a context is destroyed in two calls, the
 * second when its handles are closed. */
static bool sockets_closed(void)
{
    int count = 0;

    uv_walk(the_loop, count_handle, &count);
    if (count == 0 && context != NULL) {
        lws_context_destroy(context);
    }
    return context == NULL;
}

const library_t library = {sockets_open, sockets_work, sockets_close,
                           sockets_closed};
