/*
 * A protocol that writes down what it hears, and does in each callback what a
 * test wants. For tests of protocols.
 */
#ifndef TEST_NOTING_H
#define TEST_NOTING_H

#include "net.h"

#include <stdio.h>
#include <string.h>

#include "uva/protocols.h"

typedef struct noting_s noting_t;

/* What a callback is to do, and to return. */
typedef int (*noting_do_cb)(noting_t *self);

/** What protocols have heard, and what they do: their arg. Zero-initialise. */
typedef struct notes_s {
    char text[1024];
    noting_t *protocol; /* The last one that was made. */
    int made;           /* How many were. */
    int ended;          /* How many were lost. */
    noting_do_cb on_made;
    noting_do_cb on_data;
    noting_do_cb on_eof;
    noting_do_cb on_buffer;
    noting_do_cb on_pause;
    noting_do_cb on_resume;
    noting_do_cb on_lost;
    size_t room; /* Of get_buffer; all of it if 0. */
    bool no_room;
} notes_t;

struct noting_s {
    uva_protocol_t base;
    char buffer[64]; /* For get_buffer. */
};

static inline notes_t *notes_of(uva_protocol_t *self)
{
    return self->arg;
}

/** Write down a word, in front of a ";". */
static inline void
note(notes_t *notes, const char *what, const void *data, size_t size)
{
    size_t used = strlen(notes->text);

    (void)snprintf(notes->text + used, sizeof notes->text - used, "%s%.*s;",
                   what, (int)size, (const char *)data);
}

static inline void note_word(notes_t *notes, const char *what)
{
    note(notes, what, "", 0);
}

static inline int noting_do(uva_protocol_t *self, noting_do_cb action)
{
    return action == NULL ? 0 : action(UVA_PROTOCOL(noting_t, self));
}

static inline int noting_made(uva_protocol_t *self)
{
    notes_of(self)->protocol = UVA_PROTOCOL(noting_t, self);
    notes_of(self)->made++;
    note_word(notes_of(self), "made");
    return noting_do(self, notes_of(self)->on_made);
}

static inline int noting_data(uva_protocol_t *self, uva_bytes_t data)
{
    note(notes_of(self), "data ", data.data, data.size);
    return noting_do(self, notes_of(self)->on_data);
}

static inline int noting_eof(uva_protocol_t *self)
{
    note_word(notes_of(self), "eof");
    return noting_do(self, notes_of(self)->on_eof);
}

static inline void noting_pause(uva_protocol_t *self)
{
    note_word(notes_of(self), "pause");
    (void)noting_do(self, notes_of(self)->on_pause);
}

static inline void noting_resume(uva_protocol_t *self)
{
    note_word(notes_of(self), "resume");
    (void)noting_do(self, notes_of(self)->on_resume);
}

static inline void noting_lost(uva_protocol_t *self, int status)
{
    const char *name = uva_err_name(status);

    note(notes_of(self), "lost ", name, strlen(name));
    notes_of(self)->ended++;
    (void)noting_do(self, notes_of(self)->on_lost);
}

static inline size_t
noting_buffer(uva_protocol_t *self, size_t hint_bytes, void **ret_data)
{
    noting_t *noting = UVA_PROTOCOL(noting_t, self);
    notes_t *notes = notes_of(self);

    ck_assert_uint_eq(hint_bytes, 0);
    note_word(notes, "get");
    *ret_data = noting->buffer;
    (void)noting_do(self, notes->on_buffer);
    return notes->no_room     ? 0
           : notes->room == 0 ? sizeof noting->buffer
                              : notes->room;
}

static inline int noting_updated(uva_protocol_t *self, size_t size)
{
    note(notes_of(self), "updated ", UVA_PROTOCOL(noting_t, self)->buffer,
         size);
    return noting_do(self, notes_of(self)->on_data);
}

#define NOTING_COMMON                                                   \
    UVA_PROTOCOL_OPS(noting_t),                                         \
        .connection_made = noting_made, .eof_received = noting_eof,     \
        .pause_writing = noting_pause, .resume_writing = noting_resume, \
        .connection_lost = noting_lost

static const uva_protocol_ops_t noting_ops UVA_UNUSED = {
    NOTING_COMMON, .data_received = noting_data};
static const uva_protocol_ops_t noting_buffered_ops UVA_UNUSED = {
    NOTING_COMMON, .get_buffer = noting_buffer,
    .buffer_updated = noting_updated};

static inline bool heard(const notes_t *notes, const char *text)
{
    return strstr(notes->text, text) != NULL;
}

/** A connection with a noting protocol on one end, and a plain socket on the
 * other. The transport has one reference. */
static inline uva_transport_t *
noting_link(const uva_protocol_ops_t *ops, notes_t *notes, int *ret_fd)
{
    uva_transport_t *transport;
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);

    ck_assert_int_eq(uva_create_connection(ops, notes, "127.0.0.1",
                                           uva_test_port(port), NULL,
                                           &transport),
                     0);
    *ret_fd = uva_test_accept(listener);
    close(listener);
    return transport;
}

/** Wait for the loss, check what was heard, drop the reference. */
static inline void
noting_ends(uva_transport_t *take_transport, notes_t *notes, const char *text)
{
    UVA_TEST_UNTIL(notes->ended > 0);
    uva_transport_unref(take_transport);
    ck_assert_str_eq(notes->text, text);
}

#endif /* TEST_NOTING_H */
