/**
 * @file
 * Codes, their texts, and the error record of a failed future.
 *
 * A function returns 0 or more on success, a negative code on failure: one of
 * libuv's, or one of the table below. UV_ECANCELED is asyncio's
 * CancelledError, UV_ETIMEDOUT its TimeoutError, UV_EINVAL ValueError and
 * TypeError, UV_EPERM the RuntimeError of a call at the wrong moment. -30000
 * and below belong to the application.
 */
#ifndef UVA_ERRORS_H
#define UVA_ERRORS_H

#include <stdint.h>

/*
 * <uv.h> needs POSIX types, which glibc hides under a plain -std=c11. There
 * the codes come from libuv's own table of numbers, and <uv.h> itself could
 * not be included anyway.
 */
#if defined(__GLIBC__) && !defined(__USE_XOPEN2K) && !defined(UV_H)
#    include "uva/uv_codes.h"
#else
#    include <uv.h>
#endif

#include "uva/types.h"

UVA_BEGIN_DECLS

/** name, number, text; the numbers never change. */
#define UVA_ERRNO_MAP(XX)                                                   \
    XX(INVALIDSTATE, -20001, "invalid state of a future")                   \
    XX(INCOMPLETEREAD, -20002, "end of stream before the expected bytes")   \
    XX(LIMITOVERRUN, -20003, "separator not found within the limit")        \
    XX(QUEUEEMPTY, -20004, "queue is empty")                                \
    XX(QUEUEFULL, -20005, "queue is full")                                  \
    XX(QUEUESHUTDOWN, -20006, "queue is shut down")                         \
    XX(BROKENBARRIER, -20007, "barrier is broken")                          \
    XX(NOSENDFILE, -20008, "sendfile is not available")                     \
    XX(NOLOOP, -20009, "no running event loop")                             \
    XX(GROUP, -20010, "unhandled errors in a task group")                   \
    XX(WRONGLOOP, -20011, "attached to a different loop")                   \
    XX(NOTASK, -20012, "nothing here can suspend")                          \
    XX(DEADLOCK, -20013, "nothing can wake the waiting tasks")              \
    XX(FORKED, -20014, "the loop is the parent's, of which this is a fork") \
    XX(BROKENEXECUTOR, -20015, "a thread of the executor could not begin")

enum {
#define UVA__ERRNO_ENUM(name, number, text) UVA_E##name = number,
    UVA_ERRNO_MAP(UVA__ERRNO_ENUM)
#undef UVA__ERRNO_ENUM
    /** A poll half has to be called again after the next wake-up. Not an
     * error; it never leaves an awaiting function. */
    UVA_PENDING = -20000,
    /** private: a stackless body yields; see UVA_YIELD. */
    UVA__YIELD = -19999,
    /** The first code that belongs to the application; go down from it. */
    UVA_EUSER = -30000
};

/**
 * Say what a code means.
 *
 * @return Static text; for a number that nobody defined, a text that says so.
 * @thread any
 */
UVA_EXTERN const char *uva_strerror(int code);

/** The name of a code: "UVA_EGROUP", "ECANCELED", "UVA_EUSER-1"; "OK" for 0 and
 * more; "UNKNOWN-777" for a number that nobody defined. Static; a name that has
 * a number lives until the thread has asked for eight more of those.
 * @thread any */
UVA_EXTERN const char *uva_err_name(int code);

/**
 * Whether a code says that an open connection is gone: UV_ECONNRESET,
 * UV_EPIPE, UV_ECONNABORTED, UV_ESHUTDOWN, UV_ENOTCONN. A peer can cause it at
 * any time, so a server mostly ends such a connection without a word.
 *
 * Not so a connection that was refused or timed out, and the end of a stream,
 * which is no error.
 *
 * @thread any
 */
UVA_EXTERN bool uva_is_disconnect(int code);

/**
 * Fail with a text: return uva_fail(code, "...") from a task's body.
 *
 * The text goes to the error record of the running task if its body ends with
 * this code; its cause is what uva_task_error gives. A text that cannot be
 * allocated is dropped; the code stays. With UV_ECANCELED it is the message of
 * a cancellation.
 *
 * @return code; UV_EINVAL, and nothing is said, if nothing can fail with it: it
 *         is not negative, or UVA_PENDING.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int uva_fail(int code, const char *format, ...)
    UVA_PRINTF(2, 3);

/** private: what a library function returns that may fail without words: those
 * of an earlier failure with this code are forgotten. @return code. */
UVA_EXTERN int uva__bare(int code);

/**
 * Fail with a record that was kept: return uva_raise(error) from a task's
 * body. The task ends with that very record, members and all.
 *
 * @param error Borrowed; NULL is UV_EINVAL.
 * @return The record's code.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int uva_raise(const uva_error_t *error);

/**
 * The error record of a failure. Only failures with a text, a cause or members
 * have one; NULL stands for a bare code, and every function below takes it. A
 * record never changes, and may be handed to another thread.
 */

/** The code of the error; 0 for NULL. @thread any */
UVA_EXTERN int uva_error_code(const uva_error_t *error);

/** The text of an error, in the words of whoever failed first; uva_strerror of
 * the code when nobody said; "no details" for NULL, which knows no code. Of a
 * cancellation the message. Borrowed, lives as long as the error.
 * @thread any */
UVA_EXTERN const char *uva_error_text(const uva_error_t *error);

/** The error that was awaited and led to this one; NULL if none.
 * @asyncio BaseException.__cause__
 * @thread any */
UVA_EXTERN const uva_error_t *uva_error_cause(const uva_error_t *error);

/** How many errors a UVA_EGROUP holds; 0 for every other. @thread any */
UVA_EXTERN size_t uva_error_member_count(const uva_error_t *error);

/** Member of a group, in the order of completion; borrowed; NULL past the end.
 * A member always has a record, with its code at least. @thread any */
UVA_EXTERN const uva_error_t *uva_error_member(const uva_error_t *error,
                                               size_t index);

/** Keep an error beyond the life of its future.
 * @return error itself; NULL for NULL. @thread any */
UVA_EXTERN uva_error_t *uva_error_ref(const uva_error_t *error);

/** Drop a reference. @return NULL. @thread any */
UVA_EXTERN uva_error_t *uva_error_unref(uva_error_t *error);

UVA_END_DECLS

#endif /* UVA_ERRORS_H */
