/*
 * What a stream does at random: each way to read, with views that are held
 * over a wait; each way to write; half closes, closes, aborts.
 *
 * An echo writes what it has read and nothing else, so that its stream is that
 * of the other side.
 */
#include "sockets.h"

#include <string.h>

enum {
    DATA_BYTES = 2048,
    LARGE_BYTES = 200000
};

void talk_begin(talk_t *talk,
                uva_reader_t *reader,
                uva_writer_t *writer,
                bool is_client)
{
    uva_address_t here = {.port = 0};
    uva_address_t there = {.port = 0};

    /* They are 0 where the connection is lost already. */
    UVA_IGNORE(uva_transport_get_sockname(uva_writer_transport(writer), &here));
    UVA_IGNORE(
        uva_transport_get_peername(uva_writer_transport(writer), &there));
    talk->reader = reader;
    talk->writer = writer;
    talk->side = is_client ? side_new(true, here.port, there.port)
                           : side_new(false, there.port, here.port);
    talk->side->is_stream = true;
    talk->echoes = stress_once_in(2);
    talk->listens = !talk->echoes && stress_once_in(2);
    talk->turns = 1 + (int)stress_below(20);
}

/* --- writing --- */

static int write_piece(talk_t *talk, const uint8_t *data, size_t size)
{
    uva_bytes_t lines[2];
    size_t half = size / 2;

    switch (stress_below(4)) {
    case 0:
        lines[0] = uva_bytes(data, half);
        lines[1] = uva_bytes(data + half, size - half);
        return uva_writer_writelines(talk->writer, lines, 2);
    case 1:
        return uva_transport_write(uva_writer_transport(talk->writer), data,
                                   size);
    default:
        return uva_writer_write(talk->writer, data, size);
    }
}

static void talk_write(talk_t *talk, const uint8_t *data, size_t size)
{
    side_t *side = talk->side;
    bool closing = uva_writer_is_closing(talk->writer);
    int r = write_piece(talk, data, size);

    if (closing || talk->ended) {
        return;
    }
    STRESS_CHECK(r == 0 || world.failing, "a write gives %s", uva_err_name(r));
    if (r == 0) {
        side->sent += size;
    } else {
        side->untold = true;
    }
}

static void write_own(talk_t *talk)
{
    static uint8_t data[LARGE_BYTES];
    size_t size =
        1 + (stress_once_in(6) ? stress_below(LARGE_BYTES) : stress_below(500));

    if (!talk->echoes && !talk->listens) {
        side_fill(talk->side, data, size);
        talk_write(talk, data, size);
    }
}

/* --- reading --- */

/* Bytes were read. */
static void talk_got(talk_t *talk, const uint8_t *data, size_t size)
{
    if (talk->lost_track) {
        return;
    }
    side_got(talk->side, data, size);
    if (talk->echoes && size > 0) {
        if (talk->side->sent == 0) {
            talk->side->salt = talk->side->their_salt;
        }
        talk_write(talk, data, size);
    }
}

/* A view is what it was. */
static void talk_look(const talk_t *talk, size_t position, uva_bytes_t view)
{
    if (!talk->lost_track) {
        side_look(talk->side, position, view.data, view.size);
    }
}

/* A buffer was filled, or was not. */
static void talk_take(talk_t *talk, int r, uva_buffer_t *buffer)
{
    if (r < 0 && r != UVA_EINCOMPLETEREAD) {
        return;
    }
    STRESS_CHECK(r < 0 || (size_t)r == buffer->size,
                 "a buffer of %zu bytes gives %d", buffer->size, r);
    talk_got(talk, buffer->data, buffer->size);
    uva_buffer_clear(buffer);
}

/* The stream has ended, by the other side unless it was closed here. */
static void talk_at_end(const talk_t *talk)
{
    if (!talk->lost_track && !uva_writer_is_closing(talk->writer)) {
        side_ended(talk->side);
    }
}

static void talk_lost(const talk_t *talk, int r)
{
    if (r == UV_ECONNRESET && !talk->lost_track && !talk->ended) {
        side_lost(talk->side);
    }
}

/* --- the coroutines --- */

/* Read in one way. The result is more than 0 if there may be more. */
UVA_STACKLESS(void, listen_some, actor_t *actor; talk_t * talk; int r;
              unsigned way;
              size_t position;
              size_t partial;
              uva_bytes_t view;
              uva_buffer_t buffer;
              uva_bytes_t separators[2];
              actor_ops_t ops;
              uint8_t data[DATA_BYTES];)
{
    UVA_BEGIN
    self->way = stress_below(6);
    self->position = self->talk->side->got;
    if (self->way == 0) {
        AWAIT(self->r, uva_reader_read, self->talk->reader, self->data,
              DATA_BYTES);
        talk_got(self->talk, self->data, self->r > 0 ? (size_t)self->r : 0);
    } else if (self->way == 1) {
        AWAIT(self->r, uva_reader_read_view, self->talk->reader, SIZE_MAX,
              &self->view);
        if (self->r > 0) {
            talk_got(self->talk, self->view.data, self->view.size);
            AWAIT_SLEEP(self->r);
            talk_look(self->talk, self->position, self->view);
            self->r = self->r < 0 ? self->r : 1;
        }
    } else if (self->way == 2) {
        AWAIT(self->r, uva_reader_readline, self->talk->reader, &self->buffer);
        self->talk->lost_track |= self->r == UVA_ELIMITOVERRUN;
        talk_take(self->talk, self->r, &self->buffer);
    } else if (self->way == 3) {
        AWAIT(self->r, uva_reader_readexactly, self->talk->reader, self->data,
              1 + (self->position % DATA_BYTES), &self->partial);
        talk_got(self->talk, self->data,
                 self->r >= 0 ? (size_t)self->r : self->partial);
    } else if (self->way == 4) {
        AWAIT(self->r, uva_reader_readuntil, self->talk->reader,
              UVA_BYTES("\x10\x17"), &self->buffer);
        talk_take(self->talk, self->r, &self->buffer);
    } else {
        self->separators[0] = UVA_BYTES("\x20\x27\x2e");
        self->separators[1] = UVA_BYTES("\x80");
        AWAIT(self->r, uva_reader_readuntil_view, self->talk->reader,
              self->separators, 2, &self->view);
        if (self->r >= 0 || self->r == UVA_EINCOMPLETEREAD) {
            talk_got(self->talk, self->view.data, self->view.size);
        }
    }
    UVA_END
    return self->r;
}

/* Write, or end something. */
UVA_STACKLESS(void, say_some, actor_t *actor; talk_t * talk; int r;
              unsigned way;
              actor_ops_t ops;)
{
    UVA_BEGIN
    self->way = stress_below(12);
    if (self->way < 6) {
        write_own(self->talk);
        AWAIT(self->r, uva_writer_drain, self->talk->writer);
    } else if (self->way < 9) {
        write_own(self->talk);
        AWAIT_SLEEP(self->r);
    } else if (self->way == 9) {
        self->talk->ended = true;
        (void)uva_writer_write_eof(self->talk->writer);
    } else if (self->way == 10 && stress_once_in(3)) {
        self->talk->side->untold = true;
        uva_transport_abort(uva_writer_transport(self->talk->writer));
    } else {
        stress_poke();
    }
    UVA_END
    return self->r;
}

UVA_STACKLESS(void, converse, actor_t *actor; int r; talk_t talk;
              listen_some_args_t listen;
              say_some_args_t say;)
{
    UVA_BEGIN
    while (self->talk.turns-- > 0 && !world.settling) {
        if (stress_once_in(2)) {
            self->listen =
                (listen_some_args_t){.actor = self->actor, .talk = &self->talk};
            UVA_AWAIT(self->r, listen_some, &self->listen, NULL);
            if (self->r == 0 || self->r == UVA_EINCOMPLETEREAD) {
                talk_at_end(&self->talk);
                break;
            }
            if (self->listen.way <= 1) { /* Those that take what there is. */
                talk_lost(&self->talk, self->r);
            }
        } else {
            self->say =
                (say_some_args_t){.actor = self->actor, .talk = &self->talk};
            UVA_AWAIT(self->r, say_some, &self->say, NULL);
        }
        if (self->r < 0 && self->r != UVA_ELIMITOVERRUN &&
            !actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r == UV_ECANCELED ? self->r : 0;
}

static int converse_run(void *frame)
{
    return converse_poll(frame, NULL);
}

const actor_kind_t converse_kind = ACTOR_KIND(converse);

talk_t *converse_talk(void *frame)
{
    return &((converse_args_t *)frame)->talk;
}
