/*
 * Bytes that came in, and the task that waits for them (asyncio.streams,
 * StreamReader: its _buffer, feed_data, _wait_for_data).
 *
 * Invariant: the waiting task is woken when what it wants has come, at the end
 * of the stream, and at a loss. A byte that came is in the block, at the
 * waiter's place (into), or was taken by a read; a cancelled read loses none.
 * Between reads the block is there only while bytes or a view lie in it.
 */
#include "io/input.h"

#include <string.h>

#include "base/buffer.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/step.h"
#include "core/waiters.h"
#include "io/transports.h"

/* Classes of blocks that an input asks for. */
#define CLASS_LEAST 1u /* 2 KiB: the first one of a connection. */
#define CLASS_LARGE 4u /* 16 KiB: see uva__input_reserve_slow. */
#define CLASS_MOST  (UVA__BLOCK_CLASSES - 1)

/* Bytes that one read may bring to the place of a task: larger than a block, as
 * they need no memory of ours, yet few enough to leave others their turn. */
#define INTO_MOST 262144u

void uva__input_init(uva__input_t *in,
                     uva_loop_t *loop,
                     uva_transport_t *transport,
                     size_t limit)
{
    in->loop = loop;
    in->transport = transport;
    in->limit = limit;
    in->expected = CLASS_LEAST;
    in->data = (uint8_t *)in; /* Some address: data + size is looked at before
                                 there is a block, and NULL allows no sum. */
}

/* --- blocks --- */

/* The views are over: give back the blocks that only they needed. */
static inline void input_release(uva__input_t *in)
{
    in->viewed = false;
    if (UVA__UNLIKELY(in->held != NULL)) {
        uva__block_put(in->loop, in->held);
        in->held = NULL;
    }
    if (in->size == 0 && in->block != NULL) {
        uva__block_put(in->loop, in->block);
        in->block = NULL;
    }
}

/* A reserved block that stayed empty goes back at once: a connection that only
 * waits must hold no memory. A block with a view in it has to stay. */
void uva__input_unused(uva__input_t *in)
{
    if (in->size == 0 && !in->viewed && in->block != NULL) {
        uva__block_put(in->loop, in->block);
        in->block = NULL;
    }
}

void uva__input_destroy(uva__input_t *in)
{
    in->size = 0;
    input_release(in);
}

/* Free bytes behind the last one. */
static inline size_t input_room(const uva__input_t *in)
{
    return in->block == NULL
               ? 0
               : (size_t)(uva__block_end(in->block) - in->data) - in->size;
}

/*
 * Make room for count bytes behind the last one. Bytes move to the front of the
 * block if at least as many were consumed in front of them, so that all moves
 * together cost no more than the reads did; else a new block of twice the size
 * takes them. A view must not move, so its block is held beside the new one
 * until the view is over.
 * @return 0, or UV_ENOMEM with nothing changed.
 */
static UVA__NOINLINE int input_grow(uva__input_t *in, size_t count)
{
    size_t need = in->size + count;
    size_t bytes = need < 2 * in->size ? 2 * in->size : need;
    uva__block_t *old = in->block;
    uva__block_t *block;
    uint8_t *begin;

    if (old != NULL && !in->viewed && input_room(in) < count &&
        (size_t)(in->data - uva__block_begin(old)) >= in->size &&
        old->bytes - sizeof *old >= need) {
        in->data = memmove(uva__block_begin(old), in->data, in->size);
        return 0;
    }
    block = uva__block_get(in->loop, bytes);
    if (block == NULL) {
        return UV_ENOMEM;
    }
    begin = uva__block_begin(block);
    if (old != NULL) {
        memcpy(begin, in->data, in->size);
        if (in->viewed) {
            in->held = old;
            in->viewed = false;
        } else {
            uva__block_put(in->loop, old);
        }
    }
    in->block = block;
    in->data = begin;
    return 0;
}

/* Put bytes back in front of the others: a read that was given them did not
 * finish. Without memory they are lost, and the input ends with UV_ENOMEM: a
 * stream with a hole in it must not be read on. */
static void input_unread(uva__input_t *in, const uint8_t *data, size_t size)
{
    size_t old = in->size;

    if (in->block != NULL && !in->viewed &&
        (size_t)(in->data - uva__block_begin(in->block)) >= size) {
        in->data -= size;
    } else if (input_grow(in, size) >= 0) {
        memmove(in->data + size, in->data, old);
    } else {
        uva__input_end(in, UV_ENOMEM);
        return;
    }
    memcpy(in->data, data, size);
    in->size += size;
}

/* Bytes at the waiter's place go back to the others, where another task or a
 * loss can find them. The waiter's want is put as a count of bytes in the block
 * instead: into_bytes - 1 is passed exactly when into_bytes are there. */
static UVA__NOINLINE void input_take_back(uva__input_t *in)
{
    size_t filled = in->filled;

    if (in->wants == UVA__WANTS_EXACT) {
        in->wants = UVA__WANTS_ALL;
        in->into_bytes--;
    } else {
        in->wants = UVA__WANTS_ANY;
    }
    in->filled = 0;
    if (filled > 0) {
        input_unread(in, in->into, filled);
    }
}

/* --- what comes --- */

/* asyncio: streams.py, StreamReader.feed_data. A task that wants all bytes up
 * to the end (read_all) does not pause: it would wait for ever. */
void uva__input_maybe_pause(uva__input_t *in)
{
    if (uva__input_full(in) && !in->paused && in->transport != NULL &&
        in->wants != UVA__WANTS_ALL) {
        in->paused = true;
        uva_transport_pause_reading(in->transport);
    }
}

/* Whether the next bytes go straight to the place of the waiting task. Not
 * behind other bytes, which come first; nor to a task that is cancelled and
 * will never look there. */
static inline bool input_takes_into(const uva__input_t *in)
{
    return in->wants >= UVA__WANTS_INTO && in->filled < in->into_bytes &&
           in->size == 0 && !uva_waiter_cancelled(in->waiter);
}

/*
 * Where the next bytes go: to the place of the task that waits; else behind
 * those in the block, if half of what is expected fits there, or if a large
 * block is expected and this one can grow; else to the scratch memory that all
 * sockets share, from where uva__input_append copies them.
 */
uva__place_t uva__input_reserve_slow(uva__input_t *in)
{
    size_t wanted = UVA__BLOCK_BYTES(in->expected) / 2;
    size_t room;

    if (input_takes_into(in)) {
        room = in->into_bytes - in->filled;
        return (uva__place_t){in->into + in->filled,
                              room < INTO_MOST ? room : INTO_MOST};
    }
    if (in->block == NULL ||
        (input_room(in) < wanted && in->expected >= CLASS_LARGE)) {
        (void)input_grow(in, 2 * wanted - sizeof(uva__block_t));
    }
    room = input_room(in);
    if (room < wanted) {
        return (uva__place_t){uva__blocks_of(in->loop)->scratch,
                              UVA__READ_BYTES};
    }
    return (uva__place_t){in->data + in->size, room};
}

/* The next block is larger if this one is full, and smaller if the bytes fill
 * less than a quarter of it: memory follows what the peer sends at once. */
void uva__input_adapt(uva__input_t *in)
{
    while (in->expected < CLASS_MOST &&
           in->size + sizeof(uva__block_t) >= UVA__BLOCK_BYTES(in->expected)) {
        in->expected++;
    }
    if (in->expected > CLASS_LEAST &&
        in->size < UVA__BLOCK_BYTES(in->expected) / 4) {
        in->expected--;
    }
}

/* Give bytes to the waiting task at its place, and wake it when it has what it
 * wants. @return How many of size bytes fitted. */
static UVA__NOINLINE size_t input_fill_into(uva__input_t *in,
                                            const uint8_t *data,
                                            size_t size)
{
    size_t room = in->into_bytes - in->filled;
    size_t part = size < room ? size : room;

    if (data != in->into + in->filled) { /* Else they were read there. */
        memcpy(in->into + in->filled, data, part);
    }
    in->filled += part;
    if (in->wants == UVA__WANTS_INTO || in->filled == in->into_bytes) {
        uva__input_wake(in);
    }
    return part;
}

int uva__input_append(uva__input_t *in, const uint8_t *data, size_t size)
{
    if (input_takes_into(in)) {
        size_t part = input_fill_into(in, data, size);
        data += part;
        size -= part;
        if (size == 0) {
            return 0;
        }
    }
    if (in->block == NULL || data != in->data + in->size) {
        if (input_room(in) < size && input_grow(in, size) < 0) {
            return UV_ENOMEM;
        }
        memcpy(in->data + in->size, data, size);
    } /* Else they were read there. */
    uva__input_came(in, size);
    return 0;
}

void uva__input_gather(uva__input_t *in)
{
    if (in->wants == UVA__WANTS_EXACT && in->filled < in->into_bytes) {
        input_take_back(in);
    }
}

void uva__input_end(uva__input_t *in, int code)
{
    if (code < 0) {
        /* asyncio: streams.py, StreamReader.set_exception: it wins over bytes
         * that were not read. A loss does not: uva__input_lose. */
        in->exception = code;
        in->behind = false;
        uva__input_gather(in); /* A failed readexactly takes nothing. */
    } else {
        in->eof = true;
    }
    uva__input_wake(in);
}

void uva__input_go_on(uva__input_t *in)
{
    in->eof = false;
}

/* Differs from asyncio, where a loss makes bytes that came before unreadable:
 * here they are read first. An exception of uva_reader_set_exception stays. */
void uva__input_lose(uva__input_t *in, int code)
{
    if (in->exception == 0) {
        uva__input_end(in, code);
        in->behind = true;
    }
}

/* --- what goes --- */

/* Let the transport read again when no more than the limit is left. asyncio:
 * streams.py, StreamReader._maybe_resume_transport. */
static inline void input_maybe_resume(uva__input_t *in)
{
    if (UVA__UNLIKELY(in->paused) && in->size <= in->limit) {
        in->paused = false;
        uva_transport_resume_reading(in->transport);
    }
}

void uva__input_view(uva__input_t *in, size_t size)
{
    in->data += size;
    in->size -= size;
    in->viewed = true; /* So the block stays, though it may be empty. */
    input_maybe_resume(in);
}

void uva__input_consume(uva__input_t *in, size_t size)
{
    in->data += size;
    in->size -= size;
    input_maybe_resume(in);
    if (in->size == 0) {
        input_release(in);
    }
}

/* The block itself becomes the buffer: both come from one allocator, and no
 * byte is copied to new memory. That is not possible while a view lies in the
 * block. The moved bytes leave room for the closing 0 where the head was. */
int uva__input_detach(uva__input_t *in, uva_buffer_t *ret_buffer)
{
    uva__block_t *block = in->block;
    uva_buffer_t buffer = {0};
    int r;

    if (in->size > 0 && !in->viewed) {
        buffer.capacity = block->bytes;
        buffer.size = in->size;
        buffer.data = memmove(block, in->data, in->size);
        in->block = NULL;
        buffer.data[buffer.size] = 0;
    } else if (in->size > 0) {
        r = uva__buffer_append(&buffer, in->data, in->size, SIZE_MAX);
        if (r < 0) {
            return r;
        }
    }
    in->size = 0;
    input_maybe_resume(in);
    *ret_buffer = buffer;
    return 0;
}

/* --- waiting --- */

/* The wait was cancelled: bytes at the task's place go back to the others, as
 * asyncio's would still be in the buffer. They may be too many then. */
static UVA__NOINLINE void input_cancelled(uva__input_t *in)
{
    if (in->wants >= UVA__WANTS_INTO && in->filled > 0) {
        input_unread(in, in->into, in->filled);
    }
    in->wants = UVA__WANTS_ANY;
    uva__input_maybe_pause(in);
}

/* Why nothing may be read, or 0. A loss that stands behind the bytes (behind)
 * does not count here: the reads tell it when the bytes do not suffice. */
static inline int input_refuses(const uva__input_t *in)
{
    return in->behind ? 0 : in->exception;
}

/* A task reads while another one waits. It may take what has come, as it may in
 * asyncio, where all bytes are in one buffer; so bytes at the waiter's place go
 * back to the block first. */
static UVA__NOINLINE int input_share(uva__input_t *in)
{
    input_release(in);
    if (in->wants >= UVA__WANTS_INTO) {
        input_take_back(in);
    } else {
        in->searched = 0; /* The bytes that were searched may be taken. */
    }
    return input_refuses(in);
}

int uva__input_begin(uva__input_t *in)
{
    uva_task_t *task;
    int r;

    if (in->waiter == NULL) {
        if (in->block != NULL) {
            input_release(in);
        }
        return input_refuses(in);
    }
    task = uva__task_of_waiter(in->waiter);
    if (UVA__UNLIKELY(task != uva__task_current())) {
        return input_share(in);
    }
    r = uva__waiter_finish(task);
    in->waiter = NULL; /* Before anything else: the wait is over either way. */
    if (UVA__UNLIKELY(r < 0)) {
        input_cancelled(in);
        return r;
    }
    in->wants = UVA__WANTS_ANY; /* filled or searched is the poll's to read. */
    return 1;
}

int uva__input_check(const uva__input_t *in)
{
    uva_task_t *task = uva__task_current();

    if (UVA__UNLIKELY(in->waiter != NULL || task == NULL ||
                      in->loop != task->base.loop)) {
        return uva__bare(task == NULL         ? UVA_ENOTASK
                         : in->waiter != NULL ? UV_EPERM
                                              : UVA_EWRONGLOOP);
    }
    return 0;
}

/* A waiter that was woken has its bytes, or its cancellation, already. */
bool uva__input_ends_idle(const uva__input_t *in)
{
    return in->ends_idle && in->waiter != NULL && in->size == 0 &&
           (in->wants != UVA__WANTS_EXACT || in->filled == 0) &&
           !uva_waiter_woken(in->waiter) && !uva_waiter_cancelled(in->waiter);
}

/* What a wait does to the transport. No byte comes to a paused one; asyncio:
 * "Waiting for data while paused will make deadlock, so prevent it." One whose
 * idle reads end asks its medium once more. */
static UVA__NOINLINE void input_wait_special(uva__input_t *in)
{
    if (in->paused) {
        in->paused = false;
        uva_transport_resume_reading(in->transport);
    }
    if (in->ends_idle) {
        uva__transport_push_told(in->transport, UV_READABLE);
    }
}

/* asyncio: streams.py, StreamReader._wait_for_data. */
int uva__input_wait(uva__input_t *in, uva__input_wants_t wants)
{
    int r = uva__input_check(in);

    if (UVA__UNLIKELY(r < 0)) {
        return r;
    }
    if (UVA__UNLIKELY(in->wait_special != 0)) {
        input_wait_special(in);
    }
    in->waiter = &uva__task_current()->waiter;
    in->wants = (uint8_t)wants;
    return uva__waiter_suspend(uva__task_current());
}

int uva__input_wait_into(uva__input_t *in,
                         uva__input_wants_t wants,
                         void *data,
                         size_t size,
                         size_t filled)
{
    /* Before into is set: it may be the place of a task that waits. */
    if (UVA__UNLIKELY(in->waiter != NULL)) {
        return uva__bare(UV_EPERM);
    }
    in->into = data;
    in->into_bytes = size;
    in->filled = filled;
    return uva__input_wait(in, wants);
}
