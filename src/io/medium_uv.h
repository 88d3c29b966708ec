/*
 * A stream handle of libuv as a medium: common to the handles that the
 * application owns and to those that a medium owns.
 */
#ifndef UVA__IO_MEDIUM_UV_H
#define UVA__IO_MEDIUM_UV_H

#include <uv.h>

#include "core/ready.h"
#include "io/io.h"
#include "io/medium.h"
#include "io/output.h"

/* Bytes for one uv_write. Few, as they only find out when there is room; in the
 * medium, so that no memory is needed for them. */
#define UVA__UV_SPARE_BYTES 256u

typedef struct uva__uv_medium_s uva__uv_medium_t;

/* What depends on the owner of the handle. */
typedef struct uva__uv_owner_s {
    size_t bytes; /* Of the memory that begins with the medium. */
    /* Callbacks of uv_read_start: they find the medium, and call
     * uva__uv_medium_alloc and uva__uv_medium_read. */
    uv_alloc_cb alloc;
    uv_read_cb read;
    /** Read from the descriptor, which has no bytes that libuv has read: as a
     * slot of uva__medium_ops_t. The handle is there. NULL: what libuv pushes
     * is all. */
    ssize_t (*receive)(uva__uv_medium_t *self, void *data, size_t size);
    /** Send the end of the stream at once; the handle is there. NULL: by
     * uv_shutdown, in the next poll. */
    void (*shut)(uva__uv_medium_t *self);
    /** Whether the handle may be used: nobody has closed it. stream is not
     * NULL. */
    bool (*is_there)(uva__uv_medium_t *self);
    /** Give the handle back, or close it. stream is NULL once libuv and the
     * medium are done with each other, now or later; uva__uv_medium_maybe_free
     * follows it. */
    void (*let_go)(uva__uv_medium_t *self);
} uva__uv_owner_t;

struct uva__uv_medium_s {
    uva__medium_t base;           /* First: a medium is cast to it. */
    const uva__uv_owner_t *owner; /* Static. */
    uva_list_t link;              /* Of uva__io_t.lent; unused if the medium
                                     owns its handle. */
    uva_loop_t *loop;             /* Borrowed. */
    uv_stream_t *stream; /* Borrowed, or in the same memory; NULL once it was
                            let go. */
    void *data;          /* What the application had in stream->data. */
    const uint8_t *view; /* Inside read_cb: what came and was not taken. */
    size_t view_bytes;   /* At view. */
    uva__output_t kept;  /* What came before and was not taken. */
    int ended;           /* No more will come: UV_EOF, or why; else 0. */
    int failed;          /* Why nothing more can be sent; else 0. */
    size_t held;         /* Bytes in spare; they stay if they were lost. */
    uva__flush_t flush;  /* Queues node at the end of a turn. */
    uva__ready_t node;   /* Tells what is there, from the ready queue. */
    uv_write_t write;    /* Of spare. */
    uv_shutdown_t shutting;
    uint8_t events; /* Asked for. */
    bool queued;    /* flush or node is in its queue. */
    bool reading;   /* libuv reads. */
    bool writing;   /* write is under way. */
    bool shuts;     /* shutting is under way. */
    bool inside;    /* Inside read_cb. */
    bool closed;    /* Nothing stands on it. */
    char spare[UVA__UV_SPARE_BYTES];
};

/** Fill in a medium of a stream handle. kind and way are one of the pairs that
 * medium_uv.c has: UVA_MEDIUM_UV, TCP and UNIX both ways, and more. */
void uva__uv_medium_init(uva__uv_medium_t *self,
                         uva_loop_t *loop,
                         uv_stream_t *stream,
                         const uva__uv_owner_t *owner,
                         uva_medium_kind_t kind,
                         uva__medium_way_t way);
/** Where libuv reads to. */
void uva__uv_medium_alloc(uva__uv_medium_t *self, uv_buf_t *buffer);
/** libuv has read. May close the medium, which lives until it returns. */
void uva__uv_medium_read(uva__uv_medium_t *self,
                         ssize_t count,
                         const uv_buf_t *buffer);
/** Free the medium when it is closed and nothing has it: libuv, the queue. */
void uva__uv_medium_maybe_free(uva__uv_medium_t *self);

#endif /* UVA__IO_MEDIUM_UV_H */
