/*
 * Bytes that came in, and who waits for them (the buffer of asyncio.streams,
 * StreamReader, and its _wait_for_data).
 *
 * Invariant: whoever waits is woken when what it wants has come, at the end
 * of the stream, and at a loss. Bytes that came are in the block, at the
 * waiter's own place, or were taken; none is lost but with the connection.
 */
#include "io/intake.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"

/* Classes of blocks: of 2 KiB, what is expected at first; of 16 KiB, from
 * which on a block grows before it is read into. */
#define CLASS_LEAST 1u
#define CLASS_LARGE 4u
#define CLASS_MOST  (UVA__BLOCK_CLASSES - 1)

void uva__intake_init(uva__intake_t *in,
                      uva_loop_t *loop,
                      uva_transport_t *transport,
                      size_t limit)
{
    in->loop = loop;
    in->transport = transport;
    in->limit = limit;
    in->pause_bytes = 2 * limit;
    in->expected = CLASS_LEAST;
}

/* --- blocks --- */

static inline void intake_release(uva__intake_t *in)
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

/* A view stays, in the block or in the held one. */
void uva__intake_unused(uva__intake_t *in)
{
    if (in->size == 0 && !in->viewed && in->block != NULL) {
        uva__block_put(in->loop, in->block);
        in->block = NULL;
    }
}

void uva__intake_destroy(uva__intake_t *in)
{
    in->size = 0;
    intake_release(in);
}

/* Free bytes behind the last. */
static inline size_t intake_room(const uva__intake_t *in)
{
    return in->block == NULL
               ? 0
               : (size_t)(uva__block_end(in->block) - in->data) - in->size;
}

/* Room for count bytes behind the last. A view does not move: its block is
 * kept beside. */
static UVA__NOINLINE int intake_grow(uva__intake_t *in, size_t count)
{
    size_t need = in->size + count;
    size_t bytes = need < 2 * in->size ? 2 * in->size : need;
    uva__block_t *old = in->block;
    uva__block_t *block;
    uint8_t *begin;

    if (old != NULL && !in->viewed && intake_room(in) < count &&
        (size_t)(in->data - uva__block_begin(old)) >= in->size &&
        old->bytes - sizeof *old >= need) {
        in->data = memmove(uva__block_begin(old), in->data, in->size);
        return 0;
    }
    block = uva__block_get(in->loop, bytes + sizeof *block);
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

static int intake_append(uva__intake_t *in, const uint8_t *data, size_t size)
{
    if (in->block == NULL || data != in->data + in->size) {
        if (intake_room(in) < size && intake_grow(in, size) < 0) {
            return UV_ENOMEM;
        }
        memcpy(in->data + in->size, data, size);
    } /* Else they were read there. */
    in->size += size;
    return 0;
}

/* Put bytes back in front of the others. Without memory they are lost, and
 * nothing that comes after them may be read. */
static void intake_unread(uva__intake_t *in, const uint8_t *data, size_t size)
{
    size_t old = in->size;

    if (in->block != NULL && !in->viewed &&
        (size_t)(in->data - uva__block_begin(in->block)) >= size) {
        in->data -= size;
    } else if (intake_grow(in, size) >= 0) {
        memmove(in->data + size, in->data, old);
    } else {
        uva__intake_end(in, UV_ENOMEM);
        return;
    }
    memcpy(in->data, data, size);
    in->size += size;
}

/* --- flow --- */

static void intake_maybe_pause(uva__intake_t *in)
{
    if (in->size > in->pause_bytes && !in->paused && in->transport != NULL &&
        in->wants != UVA__WANTS_ALL) {
        in->paused = true;
        uva_transport_pause_reading(in->transport);
    }
}

/* --- what comes --- */

static inline void intake_wake(uva__intake_t *in)
{
    if (in->waiter != NULL) {
        (void)uva__waiter_wake(in->waiter);
    }
}

static inline bool intake_takes_into(const uva__intake_t *in)
{
    return in->wants >= UVA__WANTS_INTO && in->filled < in->into_size &&
           in->size == 0 && !uva_waiter_cancelled(in->waiter);
}

/*
 * Bytes go where they are wanted, or to the end of the block, if what is
 * expected fits there; else to the buffer that all share, and from there.
 */
uint8_t *uva__intake_place(uva__intake_t *in, size_t *ret_size)
{
    size_t wanted = UVA__BLOCK_BYTES(in->expected) / 2;
    size_t room;
    uint8_t *data;

    if (intake_takes_into(in)) {
        data = in->into + in->filled;
        room = in->into_size - in->filled;
    } else {
        if (in->block == NULL ||
            (intake_room(in) < wanted && in->expected >= CLASS_LARGE)) {
            (void)intake_grow(in, 2 * wanted - sizeof(uva__block_t));
        }
        room = intake_room(in);
        data = room == 0 ? NULL : in->data + in->size;
    }
    if (room < wanted) {
        *ret_size = UVA__READ_BYTES;
        return in->loop->io->scratch;
    }
    *ret_size = room < UVA__BURST_BYTES ? room : UVA__BURST_BYTES;
    return data;
}

/* As many bytes will come again: a block for them, not quite full. */
static void intake_expect(uva__intake_t *in, size_t size)
{
    size += sizeof(uva__block_t);
    while (in->expected < CLASS_MOST &&
           UVA__BLOCK_BYTES(in->expected) <= size) {
        in->expected++;
        in->few_bytes = (uint32_t)UVA__BLOCK_BYTES(in->expected) / 4;
    }
}

void uva__intake_adapt(uva__intake_t *in)
{
    intake_expect(in, in->size);
    if (in->size < in->few_bytes) {
        in->expected--;
        in->few_bytes = in->expected == CLASS_LEAST
                            ? 0
                            : (uint32_t)UVA__BLOCK_BYTES(in->expected) / 4;
    }
    intake_maybe_pause(in);
}

/* @return Bytes of data that went to the waiter. */
static size_t
intake_fill_into(uva__intake_t *in, const uint8_t *data, size_t size)
{
    size_t room = in->into_size - in->filled;
    size_t part = size < room ? size : room;

    if (data != in->into + in->filled) {
        memcpy(in->into + in->filled, data, part);
    }
    in->filled += part;
    if (in->wants == UVA__WANTS_INTO || in->filled == in->into_size) {
        intake_wake(in);
    }
    return part;
}

int uva__intake_feed(uva__intake_t *in, const uint8_t *data, size_t size)
{
    int r;

    if (intake_takes_into(in)) {
        size_t part = intake_fill_into(in, data, size);
        data += part;
        size -= part;
        if (size == 0) {
            return 0;
        }
    }
    r = intake_append(in, data, size);
    if (r < 0) {
        return r;
    }
    intake_expect(in, in->size);
    if (in->wants == UVA__WANTS_ANY ||
        (in->wants == UVA__WANTS_ALL && in->size > in->into_size)) {
        intake_wake(in);
    }
    intake_maybe_pause(in);
    return 0;
}

/* Bytes at the waiter's place go back to the others, and the waiter looks at
 * all of them again when it is woken. */
static UVA__NOINLINE void intake_take_back(uva__intake_t *in)
{
    size_t filled = in->filled;

    if (in->wants == UVA__WANTS_EXACT) {
        in->wants = UVA__WANTS_ALL;
        in->into_size--;
    } else {
        in->wants = UVA__WANTS_ANY;
    }
    in->filled = 0;
    if (filled > 0) {
        intake_unread(in, in->into, filled);
    }
}

void uva__intake_end(uva__intake_t *in, int code)
{
    if (code < 0) {
        in->exception = code;
        in->behind = false;
        if (in->wants == UVA__WANTS_EXACT && in->filled < in->into_size) {
            intake_take_back(in); /* It will not be given to the waiter. */
        }
    } else {
        in->eof = true;
    }
    intake_wake(in);
}

void uva__intake_lose(uva__intake_t *in, int code)
{
    if (in->exception == 0) {
        uva__intake_end(in, code);
        in->behind = true;
    }
}

/* --- what goes --- */

static inline void intake_maybe_resume(uva__intake_t *in)
{
    if (UVA__UNLIKELY(in->paused) && in->size <= in->limit) {
        in->paused = false;
        uva_transport_resume_reading(in->transport);
    }
}

void uva__intake_give(uva__intake_t *in, size_t size)
{
    in->data += size;
    in->size -= size;
    in->viewed = true;
    intake_maybe_resume(in);
}

void uva__intake_take(uva__intake_t *in, size_t size)
{
    in->data += size;
    in->size -= size;
    intake_maybe_resume(in);
    if (in->size == 0) {
        intake_release(in);
    }
}

/* The block itself becomes the buffer if no view lies in it. */
int uva__intake_detach(uva__intake_t *in, uva_buffer_t *ret_buffer)
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
    intake_maybe_resume(in);
    *ret_buffer = buffer;
    return 0;
}

/* --- waiting --- */

static UVA__NOINLINE void intake_cancelled(uva__intake_t *in)
{
    if (in->wants >= UVA__WANTS_INTO && in->filled > 0) {
        intake_unread(in, in->into, in->filled);
    }
    in->wants = UVA__WANTS_ANY;
    intake_maybe_pause(in);
}

static inline int intake_refuses(const uva__intake_t *in)
{
    return in->behind ? 0 : in->exception;
}

/* Another task reads what has come for the one that waits, which will look at
 * all of it again. asyncio: there all bytes are in the buffer. */
static UVA__NOINLINE int intake_share(uva__intake_t *in)
{
    intake_release(in);
    if (in->wants >= UVA__WANTS_INTO) {
        intake_take_back(in);
    } else {
        in->filled = 0; /* Bytes that readuntil has searched may go. */
    }
    return intake_refuses(in);
}

int uva__intake_begin(uva__intake_t *in)
{
    uva_task_t *task;
    int r;

    if (in->waiter == NULL) {
        if (in->block != NULL) {
            intake_release(in);
        }
        return intake_refuses(in);
    }
    task = uva__task_of_waiter(in->waiter);
    if (UVA__UNLIKELY(task != uva__task_current())) {
        return intake_share(in);
    }
    r = uva__waiter_finish(task);
    in->waiter = NULL;
    if (UVA__UNLIKELY(r < 0)) {
        intake_cancelled(in);
        return r;
    }
    in->wants = UVA__WANTS_ANY;
    return 1;
}

int uva__intake_check(const uva__intake_t *in)
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

int uva__intake_wait(uva__intake_t *in, uva__intake_wants_t wants)
{
    int r = uva__intake_check(in);

    if (UVA__UNLIKELY(r < 0)) {
        return r;
    }
    /* asyncio: waiting while paused would wait for ever. */
    if (UVA__UNLIKELY(in->paused)) {
        in->paused = false;
        uva_transport_resume_reading(in->transport);
    }
    in->waiter = &uva__task_current()->waiter;
    in->wants = (uint8_t)wants;
    return uva__waiter_suspend(uva__task_current());
}

int uva__intake_wait_into(uva__intake_t *in,
                          uva__intake_wants_t wants,
                          void *data,
                          size_t size,
                          size_t filled)
{
    if (UVA__UNLIKELY(in->waiter != NULL)) {
        return uva__bare(UV_EPERM);
    }
    in->into = data;
    in->into_size = size;
    in->filled = filled;
    return uva__intake_wait(in, wants);
}
