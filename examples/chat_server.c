/*
 * A chat room: chat_server [--port N | --unix PATH] [--idle SECONDS]. A client
 * gives its nick, then each of its lines goes to everybody; nc is a client.
 *
 * One task reads a client's lines and puts them into the queues of all, which
 * never waits. Another one sends what is in the client's own queue: a client
 * that reads slowly misses the oldest lines, and holds up nobody.
 */
#include <stdlib.h>

#include "server.h"

typedef struct client_s {
    char nick[21];     /* "" until the client has given a good one. */
    uva_queue_t lines; /* To be sent: strings of malloc. */
    struct client_s *next;
} client_t;

static client_t *room; /* The clients that have a nick. */
static uint64_t idle_ns;

/* A client for whose copy there is no memory misses the line. */
static void tell(client_t *client, const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 2;
    char *line = malloc(size);

    if (line != NULL) {
        snprintf(line, size, "%s%s%s\n", a, b, c);
        if (uva_queue_put_nowait(&client->lines, line) < 0) {
            free(line);
        }
    }
}

static void tell_all(const char *a, const char *b, const char *c)
{
    for (client_t *client = room; client != NULL; client = client->next) {
        tell(client, a, b, c);
    }
}

/* Send what is put into the queue, until that is shut down and empty. */
UVA_TASK(void, deliver, uva_queue_t *lines; uva_writer_t * writer;)
{
    void *line;
    int r;

    while ((r = uva_queue_get(args->lines, &line)) >= 0) {
        UVA_TIMEOUT (r, idle_ns) {
            r = uva_writer_send(args->writer, line, strlen(line));
        }
        free(line);
        if (r < 0) { /* Reading ends, too. */
            uva_transport_abort(uva_writer_transport(args->writer));
            break;
        }
    }
    return r == UV_ECANCELED ? r : 0;
}

/* The place in the list of the client with a nick: at the end if none has. */
static client_t **find(const char *nick)
{
    client_t **place = &room;

    while (*place != NULL && strcmp((*place)->nick, nick) != 0) {
        place = &(*place)->next;
    }
    return place;
}

/* Read lines until the client ends, is idle for too long, or is lost. */
static int listen_to(client_t *me, uva_reader_t *reader, uva_writer_t *writer)
{
    uva_buffer_t line;
    int r = 0;

    tell(me, "your nick?", "", "");
    while (r >= 0 && !uva_writer_is_closing(writer)) {
        UVA_TIMEOUT (r, idle_ns) {
            r = uva_reader_readline(reader, &line);
        }
        if (r <= 0) {
            break;
        }
        char *text = (char *)line.data; /* There is a 0 behind it. */
        text[strcspn(text, "\r\n")] = 0;
        if (me->nick[0] != 0) {
            tell_all(me->nick, ": ", text);
        } else if (text[0] == 0 || strlen(text) >= sizeof me->nick ||
                   *find(text) != NULL) {
            tell(me, "taken, empty or too long; your nick?", "", "");
        } else {
            memcpy(me->nick, text, strlen(text));
            *find(text) = me;
            tell_all(me->nick, " joined", "");
        }
        uva_buffer_clear(&line);
        r = uva_sleep(0); /* Let the lines be sent before there are many. */
    }
    return r;
}

UVA_TASK(void, chat, uva_reader_t *reader; uva_writer_t * writer;)
{
    client_t me = {"", UVA_QUEUE_INIT(100), NULL};
    uva_taskgroup_t group;

    uva_queue_set_destroy(&me.lines, free);
    uva_queue_set_overflow(&me.lines, UVA_QUEUE_DROP_OLDEST);
    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, deliver, .lines = &me.lines,
                        .writer = args->writer);
    int r = listen_to(&me, args->reader, args->writer);
    if (me.nick[0] != 0) {
        tell_all(me.nick, " left: ", r < 0 ? uva_strerror(r) : "good-bye");
        *find(me.nick) = me.next;
    }
    uva_queue_shutdown(&me.lines, false); /* What is in it is still sent. */
    r = uva_taskgroup_exit(&group, r == UV_ECANCELED ? r : 0);
    uva_queue_destroy(&me.lines);
    return r;
}

UVA_TASK(void, serve, place_t place;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.limit_bytes = 1000; /* The longest line. */
    options.high_bytes = 1;     /* Unsent lines wait in the queues. */
    options.end_idle = true;    /* Silent clients do not hold up the end. */
    int r = start_server_at(args->place, chat, &options, &server);
    return r < 0 ? r : end_server(server, wait_for_interrupt(server));
}

int main(int argc, char **argv)
{
    place_t place = take_place(&argc, argv);
    double idle_s = atof(take_option(&argc, argv, "--idle", "300"));

    if (argc != 1 || !(idle_s > 0 && idle_s < 1e9)) {
        return usage(argv[0], " [--idle SECONDS]");
    }
    idle_ns = (uint64_t)(idle_s * 1e9);
    return uva_main(serve, .place = place);
}
