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

static client_t *clients;
static uint64_t idle_ns = UVA_SEC(300);

/* Tell a client something, or all that have a nick if it is NULL. A client for
 * whose copy there is no memory misses the line. */
static void tell(client_t *only, const char *a, const char *b, const char *c)
{
    for (client_t *client = clients; client != NULL; client = client->next) {
        if (only == NULL ? client->nick[0] != 0 : client == only) {
            size_t size = strlen(a) + strlen(b) + strlen(c) + 2;
            char *line = malloc(size);
            if (line != NULL) {
                snprintf(line, size, "%s%s%s\n", a, b, c);
            }
            if (line == NULL ||
                uva_queue_put_nowait(&client->lines, line) < 0) {
                free(line);
            }
        }
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

/* The empty one is not: the client that asks has it. */
static bool nick_is_free(const char *nick)
{
    client_t *client = clients;

    while (client != NULL && strcmp(client->nick, nick) != 0) {
        client = client->next;
    }
    return client == NULL;
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
            tell(NULL, me->nick, ": ", text);
        } else if (strlen(text) < sizeof me->nick && nick_is_free(text)) {
            memcpy(me->nick, text, strlen(text));
            tell(NULL, me->nick, " joined", "");
        } else {
            tell(me, "taken, empty or too long; your nick?", "", "");
        }
        uva_buffer_clear(&line);
        r = uva_sleep(0); /* Let the lines be sent before there are many. */
    }
    return r;
}

UVA_TASK(void, chat, uva_reader_t *reader; uva_writer_t * writer;)
{
    client_t me = {"", UVA_QUEUE_INIT(100), clients};
    client_t **link = &clients;
    uva_taskgroup_t group;

    uva_queue_set_destroy(&me.lines, free);
    uva_queue_set_overflow(&me.lines, UVA_QUEUE_DROP_OLDEST);
    clients = &me;
    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, deliver, .lines = &me.lines,
                        .writer = args->writer);
    int r = listen_to(&me, args->reader);
    if (me.nick[0] != 0) {
        tell(NULL, me.nick, " left: ", r < 0 ? uva_strerror(r) : "good-bye");
    }
    uva_queue_shutdown(&me.lines, false); /* What is in it is still sent. */
    r = uva_taskgroup_exit(&group, r == UV_ECANCELED ? r : 0);
    while (*link != &me) {
        link = &(*link)->next;
    }
    *link = me.next;
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
    int end = uva_sleep(UVA_FOREVER); /* Until Ctrl-C cancels this task. */
    uva_server_close(server);
    uva_server_close_clients(server);
    UVA_TIMEOUT (r, UVA_SEC(1)) {
        r = uva_server_wait_closed(server);
    }
    uva_server_abort_clients(server); /* Those that do not read. */
    uva_server_unref(server);
    return end == UV_ECANCELED ? 0 : end;
}

int main(int argc, char **argv)
{
    const char *port = "0";

    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1]; /* NULL behind the last one. */
        if (value != NULL && strcmp(argv[i], "--port") == 0) {
            port = value;
        } else if (value != NULL && strcmp(argv[i], "--idle") == 0) {
            idle_ns = (uint64_t)(atof(value) * 1e9);
        } else {
            fprintf(stderr, "usage: %s [--port N] [--idle SECONDS]\n", argv[0]);
            return 2;
        }
    }
    return uva_main(serve, .port = port);
}
