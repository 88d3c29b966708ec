/*
 * A chat room: chat_server [--port N] [--idle SECONDS]. A client gives its
 * nick, then each line of it goes to everybody; nc will do as a client.
 *
 * One task reads a client's lines and puts them into the queues of all, which
 * never waits. Another one sends what is in the client's own queue: a client
 * that reads slowly misses the oldest lines, and holds up nobody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uva.h>

typedef struct client_s {
    char nick[21];     /* "" until the client has given a good one. */
    uva_queue_t lines; /* To be sent: strings of malloc. */
    struct client_s *next;
} client_t;

static client_t *room; /* The clients that have a nick. */
static uint64_t idle_ns = UVA_SEC(300);

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
    uva_transport_t *transport = uva_writer_transport(args->writer);
    void *line;
    int r;

    /* Each drain waits for the last byte, so that lines wait in the queue. */
    uva_transport_set_write_buffer_limits(transport, 0, 0);
    while ((r = uva_queue_get(args->lines, &line)) >= 0) {
        r = uva_writer_write(args->writer, line, strlen(line));
        free(line);
        UVA_TIMEOUT (r, idle_ns) {
            r = r < 0 ? r : uva_writer_drain(args->writer);
        }
        if (r < 0) {
            uva_transport_abort(transport); /* Reading ends, too. */
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
static int listen_to(client_t *me, uva_reader_t *reader)
{
    uva_buffer_t line;
    int r = 0;

    tell(me, "your nick?", "", "");
    while (r >= 0) {
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
    int r = listen_to(&me, args->reader);
    if (me.nick[0] != 0) {
        tell_all(me.nick, " left: ", r < 0 ? uva_strerror(r) : "good-bye");
        *find(me.nick) = me.next;
    }
    uva_queue_shutdown(&me.lines, false); /* What is in it is still sent. */
    r = uva_taskgroup_exit(&group, r == UV_ECANCELED ? r : 0);
    uva_queue_destroy(&me.lines);
    return r;
}

UVA_TASK(void, serve, const char *port;)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.limit_bytes = 1000; /* The longest line. */
    int r = uva_start_server(chat, "127.0.0.1", args->port, &options, &server);
    if (r < 0) {
        return r;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)uva_server_port(server));
    fflush(stdout);
    r = uva_sleep(UVA_FOREVER); /* Until Ctrl-C cancels this task. */
    uva_server_close(server);
    uva_server_abort_clients(server); /* uva_main ends their tasks. */
    uva_server_unref(server);
    return r == UV_ECANCELED ? 0 : r;
}

int main(int argc, char **argv)
{
    const char *port = "0";

    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1]; /* NULL behind the last one. */
        if (value != NULL && strcmp(argv[i], "--port") == 0) {
            port = value;
        } else if (value != NULL && strcmp(argv[i], "--idle") == 0 &&
                   atof(value) > 0 && atof(value) < 1e9) {
            idle_ns = (uint64_t)(atof(value) * 1e9);
        } else {
            fprintf(stderr, "usage: %s [--port N] [--idle SECONDS]\n", argv[0]);
            return 2;
        }
    }
    return uva_main(serve, .port = port);
}
