/*
 * Codes and error records (asyncio.exceptions, BaseExceptionGroup).
 *
 * Invariant: a record never changes once it is made, so tasks and threads may
 * share it. The count of references is the one member that changes. It is
 * atomic, because a record outlives the loop of the task that failed.
 */
#include "base/errors.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/format.h"
#include "base/util.h"

#include <uv.h>

struct uva_error_s {
    atomic_uint refs;
    int code;
    char *text;            /* Owned; NULL: the text of the cause, or of the
                              code. */
    uva_error_t *cause;    /* Owned reference. */
    uva_error_t **members; /* Owned array of owned references. */
    size_t member_count;
    uva_error_t *next; /* Of the list of records that are being freed. */
};

/* --- codes --- */

/* Generated, as is uva_err_name: a code of libuv's or ours cannot lack a text,
 * and two codes of one number do not compile. */
const char *uva_strerror(int code)
{
    switch (code) {
#define UVA__ERRNO_TEXT(name, number, text) \
    case UVA_E##name:                       \
        return text;
        UVA_ERRNO_MAP(UVA__ERRNO_TEXT)
#undef UVA__ERRNO_TEXT
    case UVA_PENDING:
        return "the operation is pending";
#define UVA__UV_TEXT(name, text) \
    case UV_##name:              \
        return text;
        UV_ERRNO_MAP(UVA__UV_TEXT)
#undef UVA__UV_TEXT
    default:
        return code >= 0           ? "success"
               : code <= UVA_EUSER ? "error of the application"
                                   : "unknown error";
    }
}

/* The name of a code that no table has. A thread keeps its last eight, so a
 * caller may use several of them in one line of the log. */
static const char *err_number(int code)
{
    static UVA__TLS char names[8][24];
    static UVA__TLS unsigned next;
    char *name = names[next++ % UVA__COUNT(names)];

    if (code <= UVA_EUSER) {
        uva__format(name, sizeof names[0], "UVA_EUSER-%d", UVA_EUSER - code);
    } else {
        uva__format(name, sizeof names[0], "UNKNOWN%d", code);
    }
    return name;
}

const char *uva_err_name(int code)
{
    switch (code) {
#define UVA__ERRNO_NAME(name, number, text) \
    case UVA_E##name:                       \
        return "UVA_E" #name;
        UVA_ERRNO_MAP(UVA__ERRNO_NAME)
#undef UVA__ERRNO_NAME
#define UVA__UV_NAME(name, text) \
    case UV_##name:              \
        return #name;
        UV_ERRNO_MAP(UVA__UV_NAME)
#undef UVA__UV_NAME
    case UVA_PENDING:
        return "UVA_PENDING";
    case UVA_EUSER:
        return "UVA_EUSER";
    default:
        return code >= 0 ? "OK" : err_number(code);
    }
}

/* Codes by which the system tells that a connection, once there, has gone. A
 * refused or timed-out attempt to connect is none of them, nor is the end of a
 * file. */
bool uva_is_disconnect(int code)
{
    return code == UV_ECONNRESET || code == UV_EPIPE ||
           code == UV_ECONNABORTED || code == UV_ESHUTDOWN ||
           code == UV_ENOTCONN;
}

/* --- records --- */

/* Takes the text and the cause also where it fails, so that a caller has one
 * way on. */
uva_error_t *uva__error_new(int code, char *take_text, uva_error_t *take_cause)
{
    uva_error_t *error = uva__calloc(1, sizeof *error);

    if (error == NULL) {
        uva__free(take_text);
        uva_error_unref(take_cause);
        return NULL;
    }
    atomic_init(&error->refs, 1);
    error->code = code;
    error->text = take_text;
    error->cause = take_cause;
    return error;
}

/* Takes nothing where it fails: the array stays with the group. */
uva_error_t *uva__error_group_new(uva_error_t **take_members, size_t count)
{
    uva_error_t *error = uva__error_new(UVA_EGROUP, NULL, NULL);

    if (error != NULL) {
        error->members = take_members;
        error->member_count = count;
    }
    return error;
}

int uva_error_code(const uva_error_t *error)
{
    return error == NULL ? 0 : error->code;
}

/* The record that has something to say. One without text and members, with the
 * code of its cause, only marks that the error passed through one more task. */
static const uva_error_t *error_origin(const uva_error_t *error)
{
    while (error->text == NULL && error->members == NULL &&
           error->cause != NULL && error->cause->code == error->code) {
        error = error->cause;
    }
    return error;
}

const char *uva__error_words(const uva_error_t *error)
{
    return error == NULL ? NULL : error_origin(error)->text;
}

const char *uva_error_text(const uva_error_t *error)
{
    const char *words = uva__error_words(error);

    if (words != NULL) {
        return words;
    }
    return error == NULL ? "no details" : uva_strerror(error->code);
}

const uva_error_t *uva_error_cause(const uva_error_t *error)
{
    return error == NULL ? NULL : error->cause;
}

size_t uva_error_member_count(const uva_error_t *error)
{
    return error == NULL ? 0 : error_origin(error)->member_count;
}

const uva_error_t *uva_error_member(const uva_error_t *error, size_t index)
{
    if (error == NULL) {
        return NULL;
    }
    error = error_origin(error);
    return index < error->member_count ? error->members[index] : NULL;
}

/* Takes a const pointer, since counting does not change what a record says. */
uva_error_t *uva_error_ref(const uva_error_t *error)
{
    uva_error_t *shared = (uva_error_t *)(uintptr_t)error;

    if (shared != NULL) {
        atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    }
    return shared;
}

/* Drop one reference; put the record in the list if it was the last one. The
 * release orders the reads of other threads before the free. */
static void error_drop(uva_error_t *error, uva_error_t **dying)
{
    if (error != NULL &&
        atomic_fetch_sub_explicit(&error->refs, 1, memory_order_acq_rel) == 1) {
        error->next = *dying;
        *dying = error;
    }
}

/* A loop and not a recursion: a chain of causes, or of groups in groups, can be
 * as deep as there are tasks, and the stack of a task is small. */
uva_error_t *uva_error_unref(uva_error_t *error)
{
    uva_error_t *dying = NULL;

    error_drop(error, &dying);
    while (dying != NULL) {
        error = dying;
        dying = error->next;
        error_drop(error->cause, &dying);
        for (size_t i = 0; i < error->member_count; i++) {
            error_drop(error->members[i], &dying);
        }
        uva__free(error->members);
        uva__free(error->text);
        uva__free(error);
    }
    return NULL;
}
