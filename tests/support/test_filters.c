#include "test_filters.h"
#include "net.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/time.h"

int uva_test_engines;

/* --- rot13 --- */

static void turn(uint8_t *to, const uint8_t *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t c = from[i];
        int first = c >= 'a' && c <= 'z' ? 'a' : c >= 'A' && c <= 'Z' ? 'A' : 0;
        to[i] = (uint8_t)(first == 0 ? c : first + (c - first + 13) % 26);
    }
}

static int rot13_start(uva_filter_t *filter,
                       void *data,
                       bool is_server,
                       const char *host,
                       void **ret_state)
{
    (void)data;
    (void)is_server;
    (void)host;
    uva_test_engines++;
    *ret_state = filter;
    uva_filter_ready(filter, 0);
    return 0;
}

static int rot13_received(void *state, uva_bytes_t data)
{
    while (data.size > 0) {
        size_t room;
        uint8_t *to = uva_filter_give_room(state, data.size, &room);
        if (to == NULL) {
            return UV_ENOMEM;
        }
        room = room < data.size ? room : data.size;
        turn(to, data.data, room);
        uva_filter_give_filled(state, room);
        data.data += room;
        data.size -= room;
    }
    return 0;
}

static int rot13_write(void *state, const uva_bytes_t *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uva_bytes_t data = pieces[i];
        while (data.size > 0) {
            size_t room;
            uint8_t *to = uva_filter_send_room(state, data.size, &room);
            if (to == NULL) {
                return UV_ENOMEM;
            }
            room = room < data.size ? room : data.size;
            turn(to, data.data, room);
            uva_filter_send_filled(state, room);
            data.data += room;
            data.size -= room;
        }
    }
    return 0;
}

static void rot13_destroy(void *state)
{
    (void)state;
    uva_test_engines--;
}

static int rot13_extra(const void *state, unsigned key, void *ret_value)
{
    (void)state;
    if (key != 13) {
        return UV_ENOTSUP;
    }
    *(int *)ret_value = 13;
    return 0;
}

const uva_filter_ops_t uva_test_rot13_ops = {
    .size = sizeof(uva_filter_ops_t),
    .name = "rot13",
    .start = rot13_start,
    .received = rot13_received,
    .write = rot13_write,
    .destroy = rot13_destroy,
    .extra = rot13_extra,
};

const uva_filter_kind_t uva_test_rot13 = {
    .size = sizeof(uva_filter_kind_t),
    .ops = &uva_test_rot13_ops,
};

/* --- frames --- */

static const char hello[] = "HELLO\n";

typedef struct frames_s {
    uva_filter_t *filter;
    size_t greeted;  /* Bytes of the peer's hello. */
    uint8_t head[2]; /* Of the frame that comes. */
    size_t head_bytes;
    size_t left;    /* Bytes of the frame that are to come. */
    bool said_end;  /* Our goodbye was sent. */
    bool heard_end; /* The peer's has come. */
} frames_t;

static int frames_start(uva_filter_t *filter,
                        void *data,
                        bool is_server,
                        const char *host,
                        void **ret_state)
{
    frames_t *self = calloc(1, sizeof *self);
    int r;

    (void)data;
    (void)is_server;
    (void)host;
    if (self == NULL) {
        return UV_ENOMEM;
    }
    self->filter = filter;
    r = uva_filter_send(filter, hello, sizeof hello - 1);
    if (r < 0) {
        free(self);
        return r;
    }
    uva_test_engines++;
    *ret_state = self;
    return 0;
}

static int frames_say_end(frames_t *self)
{
    static const uint8_t end[2];

    self->said_end = true;
    return uva_filter_send(self->filter, end, sizeof end);
}

/* The peer's goodbye: answer it; what is behind it is not ours. */
static int frames_end(frames_t *self, uva_bytes_t rest)
{
    int r = self->said_end ? 0 : frames_say_end(self);

    self->heard_end = true;
    if (r >= 0 && rest.size > 0) {
        r = uva_filter_unread(self->filter, rest.data, rest.size);
    }
    if (r >= 0) {
        uva_filter_eof(self->filter);
        uva_filter_closed(self->filter);
    }
    return r;
}

static int frames_greet(frames_t *self, uint8_t byte)
{
    if (byte != (uint8_t)hello[self->greeted]) {
        return UV_EPROTO;
    }
    if (++self->greeted == sizeof hello - 1) {
        uva_filter_ready(self->filter, 0);
    }
    return 0;
}

static int frames_received(void *state, uva_bytes_t data)
{
    frames_t *self = state;
    int r = 0;

    while (r >= 0 && data.size > 0) {
        size_t part = 1;
        if (self->greeted < sizeof hello - 1) {
            r = frames_greet(self, *data.data);
        } else if (self->heard_end) {
            return uva_filter_unread(self->filter, data.data, data.size);
        } else if (self->left > 0) {
            part = self->left < data.size ? self->left : data.size;
            r = uva_filter_give(self->filter, data.data, part);
            self->left -= part;
        } else {
            self->head[self->head_bytes++] = *data.data;
            if (self->head_bytes == 2) {
                self->head_bytes = 0;
                self->left = (size_t)self->head[0] * 256 + self->head[1];
                if (self->left == 0) {
                    return frames_end(
                        self, (uva_bytes_t){data.data + 1, data.size - 1});
                }
            }
        }
        data.data += part;
        data.size -= part;
    }
    return r;
}

/* An end without goodbye is a cut. */
static int frames_ended(void *state)
{
    frames_t *self = state;

    return self->heard_end ? 0 : UV_EPROTO;
}

static int frames_write(void *state, const uva_bytes_t *pieces, size_t count)
{
    frames_t *self = state;
    int r = 0;

    for (size_t i = 0; i < count && r >= 0; i++) {
        uva_bytes_t data = pieces[i];
        while (data.size > 0 && r >= 0) {
            size_t part = data.size < 60000 ? data.size : 60000;
            uint8_t head[2] = {(uint8_t)(part / 256), (uint8_t)(part % 256)};
            r = uva_filter_send(self->filter, head, sizeof head);
            r = r < 0 ? r : uva_filter_send(self->filter, data.data, part);
            data.data += part;
            data.size -= part;
        }
    }
    return r;
}

static int frames_close(void *state)
{
    frames_t *self = state;
    int r = self->said_end ? 0 : frames_say_end(self);

    return r < 0 ? r : self->heard_end ? 0 : UVA_PENDING;
}

static bool frames_partial(const void *state)
{
    const frames_t *self = state;

    return self->head_bytes > 0 || self->left > 0;
}

static void frames_destroy(void *state)
{
    free(state);
    uva_test_engines--;
}

const uva_filter_ops_t uva_test_frames_ops = {
    .size = sizeof(uva_filter_ops_t),
    .name = "frames",
    .start = frames_start,
    .received = frames_received,
    .ended = frames_ended,
    .write = frames_write,
    .close = frames_close,
    .destroy = frames_destroy,
    .partial = frames_partial,
};

const uva_filter_kind_t uva_test_frames = {
    .size = sizeof(uva_filter_kind_t),
    .ops = &uva_test_frames_ops,
    .opening_ns = UVA_SEC(60),
    .closing_ns = UVA_SEC(60),
};

const uva_filter_kind_t uva_test_quick_frames = {
    .size = sizeof(uva_filter_kind_t),
    .ops = &uva_test_frames_ops,
    .opening_ns = UVA_MS(10),
    .closing_ns = UVA_MS(10),
};

/* --- probe --- */

static void probe_act(uva_test_probe_t *probe, uva_test_call_t call)
{
    void (*act)(uva_transport_t * transport) = probe->act;

    if (act != NULL && probe->call == call) {
        probe->act = NULL;
        act(uva_filter_transport(probe->filter));
    }
}

static int probe_start(uva_filter_t *filter,
                       void *data,
                       bool is_server,
                       const char *host,
                       void **ret_state)
{
    uva_test_probe_t *probe = data;

    (void)is_server;
    (void)host;
    uva_test_engines++;
    probe->filter = filter;
    *ret_state = probe;
    if (!probe->waits) {
        uva_filter_ready(filter, 0);
    }
    probe_act(probe, UVA_TEST_IN_START);
    return 0;
}

static int probe_received(void *state, uva_bytes_t data)
{
    uva_test_probe_t *probe = state;
    int r;

    probe_act(probe, UVA_TEST_IN_RECEIVED);
    r = uva_filter_give(probe->filter, data.data, data.size);
    return r < 0 ? r : probe->fails;
}

static int probe_write(void *state, const uva_bytes_t *pieces, size_t count)
{
    uva_test_probe_t *probe = state;
    int r = 0;

    probe->writes++;
    for (size_t i = 0; i < count && r >= 0; i++) {
        r = uva_filter_send(probe->filter, pieces[i].data, pieces[i].size);
    }
    probe_act(probe, UVA_TEST_IN_WRITE);
    return r;
}

/* The end of the stream is a mark. */
static int probe_write_eof(void *state)
{
    uva_test_probe_t *probe = state;

    return uva_filter_send(probe->filter, "$", 1);
}

static int probe_close(void *state)
{
    uva_test_probe_t *probe = state;

    probe_act(probe, UVA_TEST_IN_CLOSE);
    return probe->waits ? UVA_PENDING : 0;
}

static void probe_destroy(void *state)
{
    (void)state;
    uva_test_engines--;
}

static const uva_filter_ops_t probe_ops = {
    .size = sizeof(uva_filter_ops_t),
    .name = "probe",
    .start = probe_start,
    .received = probe_received,
    .write = probe_write,
    .write_eof = probe_write_eof,
    .close = probe_close,
    .destroy = probe_destroy,
};

uva_filter_kind_t uva_test_probe_kind(uva_test_probe_t *probe)
{
    return (uva_filter_kind_t){
        .size = sizeof(uva_filter_kind_t), .ops = &probe_ops, .data = probe};
}

/* --- one end, and a plain socket --- */

uva_test_end_t uva_test_end_make(const uva_connection_options_t *options)
{
    uva_test_end_t end;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    ck_assert_int_eq(
        uva_open_connection_fd(fds[0], options, &end.reader, &end.writer), 0);
    end.transport = uva_writer_transport(end.writer);
    end.fd = fds[1];
    return end;
}

void uva_test_end_free(uva_test_end_t *end)
{
    uva_writer_close(end->writer);
    UVA_IGNORE(uva_connection_close(end->reader, end->writer));
    UVA_TEST_UNTIL(uva_test_engines == 0);
    close(end->fd);
}
