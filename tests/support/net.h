/*
 * What tests of sockets share: a body run as the main task of a real loop, and
 * plain sockets that play the other side.
 *
 * The other side lives in the same thread. Its sockets do not block: where it
 * has to wait it lets the loop turn, at most so often that a test that hangs
 * fails soon.
 *
 * With UVA_TEST_LINK=memory the loop is a virtual one, and the other side of a
 * link is a medium in memory behind a number that is no descriptor: the
 * functions here take both.
 */
#ifndef TEST_NET_H
#define TEST_NET_H

#include "uva_test.h"

/**
 * As uva_test_run, on a loop with sockets. Once the body has returned, what it
 * closed may take some turns to end; whatever is open then fails the test.
 */
int uva_test_run_net(uva_coro_cb body, void *arg);
int uva_test_run_net_strict(uva_coro_cb body, void *arg);

#define UVA_NET_TEST(name)        UVA_TEST_ON(name, uva_test_run_net)
#define UVA_NET_TEST_STRICT(name) UVA_TEST_ON(name, uva_test_run_net_strict)

/** As uva_test_mark, for tests that make loops by themselves. */
uva_test_mark_t uva_test_net_mark(void);

/** Let the loop turn until a condition holds; fail if it never does. */
#define UVA_TEST_UNTIL(condition)                                         \
    do {                                                                  \
        int uva_test_turns = 100000;                                      \
        while (!(condition)) {                                            \
            ck_assert_msg(uva_test_turns-- > 0, "never: %s", #condition); \
            ck_assert_int_eq(uva_sleep(0), 0);                            \
        }                                                                 \
    } while (0)

/** A port as text; good until the next call. */
const char *uva_test_port(uint16_t port);
/** The same in memory of the caller, of 8 bytes. */
void uva_test_put_port(char *text, uint16_t port);

/** A socket that listens on 127.0.0.1, or ::1; on *ret_port, which is set if it
 * is 0. */
int uva_test_listen(uva_family_t family, int backlog, uint16_t *ret_port);
/** The next connection of one, which must be there. */
int uva_test_accept(int listener);
/** A connection to a port of 127.0.0.1. */
int uva_test_dial(uint16_t port);
/** A port that nobody listens on. */
uint16_t uva_test_unused_port(void);
/** Close it so that the peer gets a reset. */
void uva_test_reset(int fd);

/** Of a link: what there is, now; -1 if that is nothing. */
ssize_t uva_test_recv(int fd, void *data, size_t size);
/** The end of the stream. */
void uva_test_shut(int fd);
/** Close a link's side. */
void uva_test_close(int fd);

/** Send all of a text, which the system must take at once. */
void uva_test_send(int fd, const char *text);
/** Wait for exactly this text. */
void uva_test_expect(int fd, const char *text);
/** Wait for the end of the stream; fail if anything else comes. */
void uva_test_expect_eof(int fd);
/** Read and drop what there is. @return Bytes; -1 at the end, or a reset. */
long uva_test_drop(int fd, size_t size);
/** Write as much as the system takes. @return Bytes. */
size_t uva_test_stuff(int fd, size_t size);
/** Data segments that a TCP socket has sent; -1 where that is not known. */
long uva_test_segments(int fd);

/** Both ends of a connection: a stream in the loop, and a plain socket. */
typedef struct uva_test_link_s {
    uva_reader_t *reader;
    uva_writer_t *writer;
    int fd;
} uva_test_link_t;
/** Whether links are connections of TCP, which have addresses. They are unless
 * UVA_TEST_LINK is "unix" or "memory". */
bool uva_test_link_is_tcp(void);
/** Whether a peer can reset them: unix sockets have no such thing. */
bool uva_test_link_resets(void);
/** Whether they are in memory, so that there is no descriptor. */
bool uva_test_link_is_memory(void);
/** Make one; options may be NULL. */
void uva_test_link(uva_test_link_t *link,
                   const uva_connection_options_t *options);
/** Close both ends and wait for it. */
void uva_test_unlink(uva_test_link_t *link);

/** Exceptions that a handler was told of. */
typedef struct uva_test_reports_s {
    int count;
    int code; /* Of the last. */
    char message[128];
    char text[128]; /* Of its error record. */
} uva_test_reports_t;
/** Collect those of the running loop. */
void uva_test_collect_reports(uva_test_reports_t *reports);

#endif /* TEST_NET_H */
