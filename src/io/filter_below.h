/*
 * A filter in memory, and its lower half: the phases of its engine, and the
 * medium below.
 */
#ifndef UVA__IO_FILTER_BELOW_H
#define UVA__IO_FILTER_BELOW_H

#include "uva/filters.h"

#include "core/timers.h"
#include "io/flow.h"
#include "io/medium.h"

/* What an engine has come to. */
typedef enum uva__filter_phase_e {
    UVA__FILTER_OPENING, /* uva_filter_ready has not been called. */
    UVA__FILTER_OPEN,
    UVA__FILTER_CLOSING, /* close was called; uva_filter_closed was not. */
    UVA__FILTER_CLOSED   /* It has nothing to say any more. */
} uva__filter_phase_t;

struct uva_filter_s {
    uva__medium_t base;            /* First: a medium is cast to its filter. */
    uva__medium_t *below;          /* Owned; NULL once it is closed or left. */
    const uva_filter_kind_t *kind; /* Borrowed. */
    void *state;                   /* Of the engine, which destroys it. */
    uva_transport_t *transport;    /* Borrowed: it owns this. */
    uva_loop_t *loop;              /* Borrowed. */
    uva__flow_t plain;             /* For above: decoded, and not taken. */
    uva__flow_t wire;              /* For below: encoded, and not sent. */
    uva__flow_t unread;           /* Came from below behind the engine's end. */
    uva__ready_t ready;           /* The node; see filter_run. */
    uva__timer_t timer;           /* Until it must be open, or closed. */
    void (*on_phase)(void *data); /* Called when it is open or closed, or has
                                     failed; NULL if nobody waits. */
    void *on_phase_data;          /* Borrowed. */
    size_t lingering;             /* Bytes that came while it was closing. */
    int status;                   /* Why it has failed: a code, or 0. */
    int send_status;              /* Why a send below has failed; status
                                     follows when what came was read. */
    uint8_t phase;                /* uva__filter_phase_t */
    uint8_t events;               /* Asked for by what stands above. */
    uint8_t below_events;         /* Asked of the medium below. */
    uint8_t calls;                /* Calls of the engine under way. */
    bool started : 1;             /* start has succeeded: destroy is due. */
    bool queued : 1;              /* ready is in the queue. */
    bool has_raw : 1;             /* The medium below may have something. */
    bool raw_eof : 1;             /* It has ended. */
    bool eof : 1;                 /* No more comes for above. */
    bool below_ends : 1; /* The medium below says goodbye: it tells that it is
                            writable when it has. */
};

/** Let the node run in the drain. */
void uva__filter_queue(uva_filter_t *filter);
/** The engine has come to a new phase, or has failed: tell whoever waits. */
void uva__filter_set_phase(uva_filter_t *filter, uva__filter_phase_t phase);
/** The engine, or the medium below, has failed: what stands above hears of it
 * when it has taken what came before. The first code counts. */
void uva__filter_fail(uva_filter_t *filter, int code);
/** How many bytes are to leave: those of the wire, and what the medium below
 * holds. */
static inline size_t uva__filter_held(const uva_filter_t *filter)
{
    return filter->wire.bytes.bytes +
           (filter->below == NULL ? 0 : uva__medium_held(filter->below));
}
/** Send what the engine has made for below, as far as the medium takes it; not
 * inside a call of the engine, which may make more. */
void uva__filter_flush(uva_filter_t *filter);
/** A call of the engine has ended, which has counted in calls: send what it has
 * made. */
void uva__filter_called(uva_filter_t *filter);
/** Read from below once, and let the engine have it. @return Whether there was
 * something. */
bool uva__filter_pull(uva_filter_t *filter);
/** A send below has failed: let the engine have what came before, then the
 * filter fails too. */
void uva__filter_read_ahead(uva_filter_t *filter);

#endif /* UVA__IO_FILTER_BELOW_H */
