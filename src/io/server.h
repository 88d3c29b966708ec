/*
 * A server in memory: server.c runs it, listen.c makes it.
 */
#ifndef UVA__IO_SERVER_H
#define UVA__IO_SERVER_H

#include "io/transports.h"

typedef enum uva__server_state_e {
    UVA__SERVER_BOUND,
    UVA__SERVER_SERVING,
    UVA__SERVER_CLOSED
} uva__server_state_t;

typedef struct uva__listener_s {
    uv_poll_t poll;
    uva_server_t *server; /* Borrowed: this lies in it. */
    int fd;
    int code;           /* To be reported. */
    bool watched;       /* poll is started. */
    bool reporting;     /* report is in the ready queue. */
    uva__timer_t timer; /* Runs while there are no descriptors. */
    uva__ready_t report;
} uva__listener_t;

struct uva_server_s {
    uva__owner_t owner;    /* Of its clients; data is owned if destroy is there.
                            */
    uva_loop_t *loop;      /* Borrowed. */
    uva_list_t link;       /* Of uva__io_t.servers, until it is closed. */
    uva_list_t clients;    /* Of uva_transport_t.link. */
    uva_list_t waiters;    /* Of uva_waiter_t.link: wait_closed. */
    uva_waiter_t *forever; /* Borrowed: serve_forever. */
    uva__transport_kind_t kind;
    uva_destroy_cb destroy;
    size_t client_count;
    size_t max_connections;
    int backlog_count;
    uint32_t refs;          /* Of users. */
    uint32_t handle_count;  /* Not closed. */
    uint32_t report_count;  /* In the ready queue. */
    uint32_t waiting_count; /* Tasks in wait_closed and serve_forever. */
    uint8_t state;          /* uva__server_state_t */
    bool full_logged;
    size_t made_count;     /* Of listeners there is memory for. */
    size_t listener_count; /* 0 once it is closed. */
    uva__listener_t listeners[];
};

static inline size_t uva__server_bytes(size_t count)
{
    return sizeof(uva_server_t) + count * sizeof(uva__listener_t);
}

/** For uva__owner_t: a client is CLOSED. */
void uva__server_client_left(uva_transport_t *transport);
/** Begin to listen and to accept. */
int uva__server_serve(uva_server_t *server);
void uva__server_maybe_free(uva_server_t *server);
/** Add a listener on a bound descriptor; on failure it is closed. */
int uva__listener_init(uva__listener_t *listener,
                       uva_server_t *server,
                       int take_fd);
/** Look at one server after another: one whose handles the host has closed is
 * closed. */
void uva__servers_look(uva__io_t *io);
/** Close all servers and connections of a loop that has no task left. */
void uva__servers_abandon(uva__io_t *io);

#endif /* UVA__IO_SERVER_H */
