/*
 * A server in memory: listen.c makes it, server.c runs it, server_info.c looks
 * at it, server_wait.c and server_shutdown.c have the calls that wait for it.
 * server.c has the table of the states.
 */
#ifndef UVA__IO_SERVER_H
#define UVA__IO_SERVER_H

#include "io/network.h"
#include "io/socket_file.h"
#include "io/transports.h"

typedef enum uva__server_state_e {
    UVA__SERVER_BOUND,   /* Its sockets have addresses and do not listen. */
    UVA__SERVER_SERVING, /* They listen. */
    UVA__SERVER_CLOSED   /* It has none. Clients may live on. */
} uva__server_state_t;

/* One socket of a server, or a port of a network in memory. */
typedef struct uva__listener_s {
    uv_poll_t poll;          /* data is NULL: hosts may look at it. */
    uva__binding_t *binding; /* Owned, as fd is; NULL for a socket. */
    uva_server_t *server;    /* Borrowed: this lies in it. */
    int fd; /* Owned until the server is closed, if it owns_fds. */
    uva__socket_file_t *file; /* Owned; NULL without one. */
    int code;                 /* Of the last failed accept: to be reported. */
    bool watched;             /* poll is started. */
    bool reporting;           /* report is in the ready queue. */
    uva__timer_t timer;       /* Runs for a second after a failed accept. */
    uva__ready_t report;      /* Calls the exception handler. */
} uva__listener_t;

struct uva_server_s {
    uva__owner_t owner;    /* Of its clients; data is owned if destroy is not
                              NULL. */
    uva_loop_t *loop;      /* Borrowed. */
    uva_list_t link;       /* Of uva__io_t.servers, until it is closed and has
                              no client. */
    uva_list_t clients;    /* Of uva_transport_t.link. */
    uva_list_t waiters;    /* Of uva_waiter_t.link: wait_closed, shutdown, and
                              serve_forever in its end. */
    uva_list_t closers;    /* Of uva_waiter_t.link: wait_closing. */
    uva_list_t served;     /* Of uva_transport_t.link, with a reference: CLOSED
                              ones whose handler had not ended; while a task is
                              in shutdown. */
    uva__timer_t grace;    /* Aborts the clients at grace_end_ns; runs while a
                              task is in shutdown. */
    uint64_t grace_end_ns; /* UVA_FOREVER while none runs. */
    uva_waiter_t *forever; /* Borrowed: of the task that serves for ever. */
    uva__transport_kind_t kind;
    uva_destroy_cb destroy;  /* For owner.data, when the server is freed. */
    size_t client_count;     /* In clients. */
    size_t max_connections;  /* With so many clients it accepts no more. */
    int backlog_count;       /* For listen(2), and accepts of one poll. */
    uint32_t refs;           /* Of users. */
    uint32_t handle_count;   /* Polls whose close_cb has not come. */
    uint32_t report_count;   /* Reports in the ready queue. */
    uint32_t waiting_count;  /* Tasks in all calls that wait. */
    uint32_t shutting_count; /* Tasks in shutdown. */
    uint32_t aborted_count;  /* Clients that shutdown has aborted. */
    uint8_t state;           /* uva__server_state_t */
    bool full_logged;        /* The log has told that it is full. */
    bool owns_fds;           /* Its close closes them. Those of the options are
                                the user's until the server is given out. */
    bool removes_files;      /* Its close removes the files of its sockets. */
    bool end_idle;           /* Its close ends the reads of idle clients. */
    size_t made_count;       /* How many listeners there is memory for. */
    size_t listener_count;   /* 0 once it is closed. */
    uva__listener_t listeners[];
};

/** The bytes of a server with memory for count listeners. */
static inline size_t uva__server_bytes(size_t count)
{
    return sizeof(uva_server_t) + count * sizeof(uva__listener_t);
}

/** owner.left of a server: a client is CLOSED. May free the server. */
void uva__server_client_left(uva_transport_t *transport);
/** Begin to listen and to accept; nothing if it does. @retval UV_EPERM It is
 * closed. @return Or the code of listen(2); it does not accept then. */
int uva__server_serve(uva_server_t *server);
/** Free the server if nothing needs it: see the invariant of server.c. To be
 * called after one of its counts was lowered. */
void uva__server_maybe_free(uva_server_t *server);
/** Add a listener on a bound descriptor: the server's on success, else still
 * the caller's. listener is the next of server->listeners, zeroed. */
int uva__listener_init(uva__listener_t *listener, uva_server_t *server, int fd);
/** Add a listener on an address of a network, which it takes. listener as
 * above. @return As of uva__network_bind. */
int uva__listener_bind(uva__listener_t *listener,
                       uva_server_t *server,
                       uva_testing_network_t *network,
                       const uva__sockaddr_t *address);
/** Look at one server, the next one at each call: if the host has closed one of
 * its handles, it is closed. Looks at some of its clients too. */
void uva__servers_look(uva__io_t *io);
/** Close all servers of a loop that has no task left, and abort their clients.
 */
void uva__servers_abandon(uva__io_t *io);

#endif /* UVA__IO_SERVER_H */
