/*
 * Closing handles of libuv that a host may have closed before: it may walk its
 * loop and close whatever is there.
 *
 * Invariant: libuv calls back once for each handle. If a host is closing a
 * handle, its callback is replaced by one that calls the host's and then ours.
 */
#include "core/driver_uv_close.h"

#include "base/alloc.h"
#include "base/util.h"

/* libuv's private flag of a handle that is out of its lists. */
#define HANDLE_CLOSED 2u

/* A handle that the host is closing. */
typedef struct closing_s {
    struct closing_s *next;
    uv_handle_t *handle;
    uv_close_cb theirs;
    uv_close_cb ours;
} closing_t;

/* A handle is closed by the thread of its loop, so the list is a thread's. It
 * is short: six handles for each loop that closes. */
static UVA__TLS closing_t *closings;

/* Take the handle out of the list, and call both callbacks. The host's comes
 * first: ours may free the handle. */
static void closing_cb(uv_handle_t *handle)
{
    closing_t **place = &closings;
    closing_t *closing;

    while (*place != NULL && (*place)->handle != handle) {
        place = &(*place)->next;
    }
    closing = *place;
    if (closing == NULL) {
        return;
    }
    *place = closing->next;
    if (closing->theirs != NULL) {
        closing->theirs(handle);
    }
    closing->ours(handle);
    uva__free(closing);
}

void uva__uv_handle_close(uv_handle_t *handle, uv_close_cb callback)
{
    closing_t *closing;

    if (!uv_is_closing(handle)) {
        uv_close(handle, callback);
        return;
    }
    if ((handle->flags & HANDLE_CLOSED) != 0) {
        callback(handle);
        return;
    }
    closing = uva__malloc(sizeof *closing);
    if (closing != NULL) { /* Else its memory is lost, as libuv still has it. */
        *closing = (closing_t){closings, handle, handle->close_cb, callback};
        closings = closing;
        handle->close_cb = closing_cb;
    }
}
