/*
 * Servers of both kinds, and clients that connect to them, to plain sockets,
 * and to nobody; cancelled anywhere.
 */
#include "sockets.h"

#include <stdio.h>
#include <stdlib.h>

static uva_server_t *server; /* Counted. */
static uint16_t server_port;
static uint16_t peers_port;
static uint16_t refused_port;

/* --- handlers --- */

static actor_t *
handler_begin(uva_reader_t *reader, uva_writer_t *writer, bool stackful)
{
    actor_t *actor = actor_adopt(&converse_kind, stackful);

    talk_begin(converse_talk(actor->frame), reader, writer, false);
    return actor;
}

static int talk_poll(void *frame)
{
    return converse_kind.poll(frame);
}

static int stackful_handler(uva_reader_t *reader,
                            uva_writer_t *writer,
                            UVA_UNUSED void *arg)
{
    actor_t *actor = handler_begin(reader, writer, true);
    int r = talk_poll(actor->frame);

    actor_release(actor, r);
    return r;
}

UVA_STACKLESS(void, stackless_handler, uva_reader_t *reader;
              uva_writer_t * writer;
              actor_t * actor;
              int r;)
{
    UVA_BEGIN
    self->actor = handler_begin(self->reader, self->writer, false);
    UVA_AWAIT(self->r, talk, self->actor->frame);
    actor_release(self->actor, self->r);
    UVA_END
    return self->r;
}

/* --- clients --- */

static const uva_connection_options_t small_buffers = {
    .size = sizeof(uva_connection_options_t),
    .limit_bytes = 512,
    .high_bytes = 2048,
};

static const char *port_draw(char *text, size_t size)
{
    uint16_t ports[] = {server_port, server_port, peers_port, peers_port,
                        refused_port};

    (void)snprintf(text, size, "%u", ports[stress_below(5)]);
    return text;
}

/* The frame of a conversation in an actor that does more. */
static actor_t **talker_new(actor_t *actor)
{
    actor_t **frame = calloc(1, converse_kind.frame_bytes);

    STRESS_CHECK(frame != NULL, "the stress program itself has no memory");
    *frame = actor;
    return frame;
}

ACTOR(client, char port[8]; uva_open_connection_op_t open;
      uva_reader_t * reader;
      uva_writer_t * writer;
      actor_t * *talker;
      const uva_connection_options_t *options;)
{
    UVA_BEGIN(void)
    port_draw(self->port, sizeof self->port);
    self->options = stress_once_in(2) ? &small_buffers : NULL;
    AWAIT_WITH(AWAIT_LEAF, self->r, uva_open_connection, &self->open,
               "127.0.0.1", self->port, self->options, &self->reader,
               &self->writer);
    if (self->r < 0) {
        return self->r == UV_ECANCELED ? self->r : 0;
    }
    self->talker = talker_new(self->actor);
    talk_begin(converse_talk(self->talker), self->reader, self->writer, true);
    UVA_AWAIT(self->r, talk, self->talker);
    if (self->r < 0 || stress_once_in(3)) {
        converse_talk(self->talker)->side->untold = true;
        (void)uva_reader_unref(self->reader);
        (void)uva_writer_unref(self->writer);
    } else {
        AWAIT_OF_OTHERS(self->r, uva_connection_close, self->reader,
                        self->writer);
    }
    free(self->talker);
    UVA_END
    return self->r == UV_ECANCELED ? self->r : 0;
}

/* From the first call on it may cut any conversation. */
ACTOR(shut_down, uva_server_t *server; uint64_t grace_ns;)
{
    UVA_BEGIN
    if (server == NULL || !stress_once_in(20)) {
        return 0;
    }
    sides_spoil_all();
    self->server = uva_server_ref(server);
    self->grace_ns = stress_delay();
    AWAIT(self->r, uva_server_shutdown, self->server, self->grace_ns);
    STRESS_CHECK(self->r < 0 || uva_server_connection_count(self->server) == 0,
                 "a server that was shut down has connections");
    (void)uva_server_unref(self->server);
    UVA_END
    return self->r == UV_ECANCELED ? self->r : 0;
}

/* --- the part --- */

static void sockets_start(void)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    int r;

    options.limit_bytes = stress_once_in(2) ? 1024 : 0;
    options.high_bytes = stress_once_in(2) ? 4096 : 0;
    options.max_connections = stress_once_in(3) ? 2 : 0;
    r = stress_once_in(2)
            ? uva_start_server_callback(stackful_handler, NULL, "127.0.0.1",
                                        "0", &options, &server)
            : uva_start_server(stackless_handler, "127.0.0.1", "0", &options,
                               &server);
    STRESS_CHECK(r == 0, "no server: %s", uva_err_name(r));
    server_port = uva_server_port(server);
    peers_port = peers_listen();
    refused_port = peers_refused_port();
}

static void sockets_step(void)
{
    for (unsigned i = stress_below(4); i > 0; i--) {
        peers_step();
    }
    switch (stress_below(30)) {
    case 0:
        uva_server_close(server);
        break;
    case 1:
        uva_server_close_clients(server);
        break;
    case 2:
        sides_spoil();
        uva_server_abort_clients(server);
        break;
    default:
        if (stress_once_in(3)) {
            peer_dial(server_port);
        }
        break;
    }
}

static void sockets_serve(void)
{
    peers_serve();
    uva_server_close(server);
    uva_server_close_clients(server);
}

/* What is left unsent goes nowhere. */
static void sockets_leave(void)
{
    sides_spoil();
    peers_close();
}

static void sockets_end(void)
{
    int r;

    sockets_serve();
    /* What was left to close by itself needs its peers to read. */
    for (unsigned i = 0; uva_server_connection_count(server) > 0; i++) {
        STRESS_CHECK(i < 5000, "%zu connections of a server never close",
                     uva_server_connection_count(server));
        peers_serve();
        stress_rest();
    }
    peers_close();
    r = uva_server_wait_closed(server);
    STRESS_CHECK(r == 0, "a closed server is not: %s", uva_err_name(r));
}

static void sockets_closed(void)
{
    peers_close();
    server = uva_server_unref(server);
    sides_free();
}

static const actor_kind_t sockets_kinds[] = {
    ACTOR_KIND(client),
    ACTOR_KIND(shut_down),
    {NULL, 0, NULL, false},
};

const part_t sockets_part = {
    .kinds = sockets_kinds,
    .start = sockets_start,
    .step = sockets_step,
    .serve = sockets_serve,
    .leave = sockets_leave,
    .end = sockets_end,
    .closed = sockets_closed,
};
