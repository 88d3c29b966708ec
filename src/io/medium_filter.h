/*
 * A filter as a medium: an engine (uva/filters.h) above another medium.
 */
#ifndef UVA__IO_MEDIUM_FILTER_H
#define UVA__IO_MEDIUM_FILTER_H

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
    size_t held_bytes;    /* Of wire, and what the medium below holds. */
    int status;           /* Why it has failed: a code, or 0. */
    uint8_t phase;        /* uva__filter_phase_t */
    uint8_t events;       /* Asked for by what stands above. */
    uint8_t below_events; /* Asked of the medium below. */
    uint8_t calls;        /* Calls of the engine under way. */
    bool started : 1;     /* start has succeeded: destroy is due. */
    bool queued : 1;      /* ready is in the queue. */
    bool has_raw : 1;     /* The medium below may have something. */
    bool raw_eof : 1;     /* It has ended. */
    bool eof : 1;         /* No more comes for above. */
};

/** Let the node run in the drain. */
void uva__filter_queue(uva_filter_t *filter);
/** The engine has come to a new phase, or has failed: tell whoever waits. */
void uva__filter_set_phase(uva_filter_t *filter, uva__filter_phase_t phase);
/** The engine, or the medium below, has failed: what stands above hears of it
 * when it has taken what came before. The first code counts. */
void uva__filter_fail(uva_filter_t *filter, int code);
/** Send what the engine has made for below, as far as the medium takes it; not
 * inside a call of the engine, which may make more. */
void uva__filter_flush(uva_filter_t *filter);
/** The filter of a medium; NULL if it is another one. */
uva_filter_t *uva__filter_of(uva__medium_t *medium);
/**
 * Put a filter above *medium, and start its engine. Bytes that wait in out are
 * sent below before its own. The filter is told to no one: *medium is still
 * watched as it was, so the caller watches it anew.
 *
 * @param out Its bytes are taken.
 * @return 0, or a code; nothing has changed then. A failure of the engine is
 *         told by on_phase.
 * @retval UV_ENOMEM
 */
int uva__filter_new(uva_transport_t *transport,
                    uva__medium_t **medium,
                    uva__output_t *out,
                    const uva_filter_kind_t *kind,
                    bool is_server,
                    const char *host);
/** Let the engine encode all of an output, however much the medium below takes
 * of it. The filter is open. */
void uva__filter_write_all(uva_filter_t *filter, uva__output_t *out);
/** Begin to close the engine, which is open. on_phase tells the end, now or
 * later. */
void uva__filter_close(uva_filter_t *filter);
#endif /* UVA__IO_MEDIUM_FILTER_H */
