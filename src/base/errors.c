/*
 * Codes and error records (asyncio.exceptions, BaseExceptionGroup).
 *
 * Invariant: a record never changes once it is made, so it may be shared; the
 * count of references is the only thing that moves, atomically, as records
 * outlive loops.
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
    char *text;            /* Owned; NULL: the cause's, or the code's. */
    uva_error_t *cause;    /* Owned reference. */
    uva_error_t **members; /* Owned array of owned references. */
    size_t member_count;
    uva_error_t *next; /* Among those that nobody refers to any more. */
};

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

/* Names with a number in it are made, the last few of each thread. */
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

bool uva_is_disconnect(int code)
{
    return code == UV_ECONNRESET || code == UV_EPIPE ||
           code == UV_ECONNABORTED || code == UV_ESHUTDOWN ||
           code == UV_ENOTCONN;
}

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

/* A record without words or members of its own stands for its cause: it only
 * marks that the error passed through one more task. */
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

uva_error_t *uva_error_ref(const uva_error_t *error)
{
    uva_error_t *shared = (uva_error_t *)(uintptr_t)error;

    if (shared != NULL) {
        atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    }
    return shared;
}

static void error_drop(uva_error_t *error, uva_error_t **dying)
{
    if (error != NULL &&
        atomic_fetch_sub_explicit(&error->refs, 1, memory_order_acq_rel) == 1) {
        error->next = *dying;
        *dying = error;
    }
}

/* A loop along causes and members and not a recursion: a chain of awaits, or of
 * groups, can be as deep as there are tasks. */
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
