/*
 * Sending files (asyncio: base_events.py, loop.sendfile and its fallback;
 * unix_events.py, _sock_sendfile_native_impl).
 *
 * The task sends by itself, a piece in each step. Between two of them it waits
 * until the transport has something new to tell (sends_file): the medium takes
 * more, the unsent bytes fell, the connection is closing or lost.
 *
 * Invariant: while a task is in here, the transport is kept, does not read, and
 * takes bytes of nobody else. So the bytes of the file stand together.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "core/owner.h"
#include "io/stream_read.h"
#include "io/stream_write.h"
#include "io/transports.h"

/* Bytes after which the task lets others run, however much the peer takes. */
#define STEP_BYTES 1048576u
/* The last place in a file. */
#define PLACE_MOST ((uint64_t)(sizeof(off_t) == 8 ? INT64_MAX : INT32_MAX))
/* One piece of a copy. asyncio: base_events.py, _sendfile_fallback. */
#define COPY_BYTES 16384u

typedef struct sending_s {
    uva_transport_t *transport; /* Counted. */
    int file;                   /* Borrowed. */
    bool may_copy;              /* There is a fallback. */
    bool copies;                /* The fallback is under way. */
    bool resumes;               /* Reading was on before. */
    bool yields;                /* It waits for an iteration, for nothing else.
                                 */
    uint64_t offset;            /* Of the next byte in the file. */
    uint64_t left;              /* At most so many are to be sent. */
    uint64_t sent;              /* So many were. */
} sending_t;

/* --- beginning --- */

/* Why no file may be sent on a transport now, or 0. */
static int transport_refused(const uva_transport_t *transport)
{
    if (uva__task_current() == NULL) {
        return UVA_ENOTASK;
    }
    if (!uva__loop_owned(transport->loop)) {
        return UV_EPERM;
    }
    return transport->unwritable   ? UV_ENOTSUP
           : transport->sends_file ? UV_EBUSY
           : !transport->made || transport->filtering || transport->write_eof ||
                   transport->state >= UVA__TRANSPORT_CLOSING
               ? UV_EPERM
               : 0;
}

/* Others may be read without an offset alone, or hold up the loop for ever. */
static int file_refused(int file)
{
    struct stat info;

    if (fstat(file, &info) < 0) {
        return uva__bare(uv_translate_sys_error(errno));
    }
    return S_ISREG(info.st_mode) || S_ISBLK(info.st_mode)
               ? 0
               : uva_fail(UV_EINVAL, "the descriptor %d is no regular file",
                          file);
}

/* Begin: collected bytes leave, others of their kind are refused from now on.
 */
static int sending_new(sending_t **ret_sending,
                       uva_transport_t *transport,
                       int file,
                       const uva_sendfile_options_t *options)
{
    sending_t *self = uva__slab_get(&transport->loop->slab, sizeof *self);
    uint64_t most = PLACE_MOST - options->offset;
    uint64_t count = options->count_bytes;

    if (self == NULL || uva__transport_more(transport) < 0) {
        if (self != NULL) {
            uva__slab_put(&transport->loop->slab, self, sizeof *self);
        }
        return uva__bare(UV_ENOMEM);
    }
    *self = (sending_t){.transport = uva_transport_ref(transport),
                        .file = file,
                        .may_copy = !options->no_fallback,
                        .resumes = uva_transport_is_reading(transport),
                        .offset = options->offset,
                        .left = count == 0 || count > most ? most : count};
    uva_transport_pause_reading(transport);
    uva__transport_send_collected(transport);
    transport->more->sender = uva_waiter_current();
    transport->sends_file = true;
    *ret_sending = self;
    return 0;
}

static int sending_begin(sending_t **ret_sending,
                         uva_transport_t *transport,
                         int file,
                         const uva_sendfile_options_t *options)
{
    uva_sendfile_options_t has = UVA_SENDFILE_OPTIONS_INIT;
    int r = transport_refused(transport);

    if (r < 0) {
        return uva__bare(r);
    }
    if ((options != NULL &&
         !uva__options_copy(&has, sizeof has, sizeof has, options)) ||
        has.offset > PLACE_MOST) {
        return uva__bare(UV_EINVAL);
    }
    r = file_refused(file);
    return r < 0 ? r : sending_new(ret_sending, transport, file, &has);
}

/* --- a piece --- */

/* The system cannot send this file, or not on this medium. */
static bool code_is_refusal(ssize_t code)
{
    return code == UV_EINVAL || code == UV_ENOTSUP || code == UV_ENOSYS;
}

/* Whether a code is of the connection, not of the file. */
static bool code_is_loss(ssize_t code)
{
    return uva_is_disconnect((int)code) || code == UV_ETIMEDOUT ||
           code == UV_EHOSTUNREACH;
}

/* Let the system send a piece. @return Bytes, 0 at the end of the file,
 * UV_EAGAIN when the medium takes none, or a code. */
static ssize_t sending_send(sending_t *self, size_t size)
{
    uva_transport_t *transport = self->transport;
    uva__medium_t *medium = uva__medium_sender(transport->medium);
    ssize_t sent =
        medium->ops->sendfile == NULL
            ? UV_ENOTSUP
            : medium->ops->sendfile(medium, self->file, self->offset, size);

    if (sent == UV_EAGAIN) {
        transport->blocked = true;
        uva__transport_watch(transport);
    } else if (sent < 0 && code_is_loss(sent)) {
        /* As a write that fails: stream_write.c. */
        uva__transport_read_ahead(transport);
        uva__transport_fail(transport, (int)sent);
    }
    return sent;
}

/* Read a piece and write it. @return As sending_send; UV_EAGAIN also if the
 * connection was lost by that. */
static ssize_t sending_copy(sending_t *self, size_t size)
{
    uva_transport_t *transport = self->transport;
    uint8_t *scratch = uva__blocks_of(transport->loop)->scratch;
    ssize_t count;
    int r;

    do {
        count =
            pread(self->file, scratch, size < COPY_BYTES ? size : COPY_BYTES,
                  (off_t)self->offset);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        return count == 0 ? 0 : uv_translate_sys_error(errno);
    }
    r = uva__transport_send_piece(transport, scratch, (size_t)count);
    return r < 0                                    ? r
           : transport->state < UVA__TRANSPORT_LOST ? count
                                                    : UV_EAGAIN;
}

/* --- the whole --- */

/* Whether the transport has to tell something before a piece can be sent. It is
 * blocked while bytes are unsent, which the system's sendfile would overtake:
 * nothing is collected while sends_file is set. */
static bool sending_must_wait(const sending_t *self)
{
    const uva_transport_t *transport = self->transport;

    return self->copies ? transport->writing_paused : transport->blocked;
}

/* Send one piece. @return As sending_send; UV_EAGAIN also for the first piece
 * of a fallback. */
static ssize_t sending_piece(sending_t *self, size_t most)
{
    size_t size = self->left < most ? (size_t)self->left : most;
    ssize_t sent;

    if (self->copies) {
        return sending_copy(self, size);
    }
    sent = sending_send(self, size);
    if (self->sent == 0 && code_is_refusal(sent)) {
        self->copies = self->may_copy;
        sent = self->may_copy ? UV_EAGAIN : UVA_ENOSENDFILE;
    }
    return sent;
}

/* Send until the end, or until there is a reason to wait. */
static int sending_go_on(sending_t *self)
{
    const uva_transport_t *transport = self->transport;
    size_t most = STEP_BYTES; /* To be sent in this step. */

    while (self->left > 0) {
        ssize_t sent;
        if (transport->state >= UVA__TRANSPORT_CLOSING) {
            return transport->status < 0 ? transport->status : UV_ECONNABORTED;
        }
        if (sending_must_wait(self)) {
            return uva_waiter_suspend(transport->more->sender, NULL, NULL);
        }
        if (most == 0) {
            self->yields = true;
            return uva_yield_poll();
        }
        sent = sending_piece(self, most);
        if (sent > 0) {
            self->offset += (uint64_t)sent;
            self->left -= (uint64_t)sent;
            self->sent += (uint64_t)sent;
            most -= (size_t)sent;
        } else if (sent != UV_EAGAIN) {
            return (int)sent;
        }
    }
    return 0;
}

/* The task runs again. */
static int sending_resumed(sending_t *self)
{
    int r;

    if (self->yields) {
        self->yields = false;
        r = uva_yield_poll();
    } else {
        r = uva_waiter_finish(self->transport->more->sender);
    }
    return r < 0 ? r : sending_go_on(self);
}

/* The last call, with its result. asyncio: the position of the file is told
 * after every end. */
static int sending_end(sending_t *self, int r, uint64_t *ret_sent)
{
    uva_transport_t *transport = self->transport;

    if (self->sent > 0) {
        (void)lseek(self->file, (off_t)self->offset, SEEK_SET);
    }
    if (ret_sent != NULL) {
        *ret_sent = self->sent;
    }
    transport->sends_file = false;
    uva__transport_less(transport);
    if (self->resumes) {
        uva_transport_resume_reading(transport);
    }
    uva__slab_put(&transport->loop->slab, self, sizeof *self);
    (void)uva_transport_unref(transport);
    return uva__bare(r);
}

int uva_transport_sendfile_poll(uva_sendfile_op_t *op,
                                uva_transport_t *transport,
                                int file,
                                const uva_sendfile_options_t *options,
                                uint64_t *ret_sent)
{
    sending_t *self = op->state;
    int r;

    if (self != NULL) {
        r = sending_resumed(self);
    } else {
        r = sending_begin(&self, transport, file, options);
        if (r < 0) {
            if (ret_sent != NULL) {
                *ret_sent = 0;
            }
            return r;
        }
        r = sending_go_on(self);
    }
    op->state = r == UVA_PENDING ? self : NULL;
    return r == UVA_PENDING ? r : sending_end(self, r, ret_sent);
}

int uva_transport_sendfile(uva_transport_t *transport,
                           int file,
                           const uva_sendfile_options_t *options,
                           uint64_t *ret_sent)
{
    uva_sendfile_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_transport_sendfile, &op, transport, file, options,
              ret_sent);
    return r;
}
