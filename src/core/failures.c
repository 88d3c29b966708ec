/*
 * The error record of the running task: the text of uva_fail, the record of an
 * awaited future, the words of a cancellation.
 *
 * A success leaves the record as it is, because clean-up may await before the
 * code is passed on; so does a failure with another code. Invariant: since
 * extra->error was set, no other failure with the same code came. So it is the
 * record of the task if the body ends with this code.
 */
#include <stdarg.h>

#include "uva/errors.h"
#include "uva/taskgroups.h"

#include "base/errors.h"
#include "base/format.h"
#include "core/extra.h"
#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"

/* error_at says in which iteration the record was set: uva_task_error gives it
 * in the same one only, where it is the failure of the last call. */
void uva__task_set_error(uva_task_t *task, int code, uva_error_t *take_error)
{
    uva__extra_t *extra =
        take_error == NULL ? task->extra : uva__future_extra(&task->base);
    uva_error_t *old;

    if (extra == NULL) {
        uva_error_unref(take_error);
        return;
    }
    if (code == UV_ECANCELED) {
        extra->left_code = 0;
    }
    old = extra->error;
    extra->error_at =
        take_error == NULL ? 0 : task->base.loop->ready.iterations;
    if (take_error != NULL || uva_error_code(old) == code) {
        extra->error = take_error;
        extra->error_awaited = false;
        uva_error_unref(old);
    }
}

/* error_awaited tells the end of the task that the record is another future's.
 */
void uva__task_note_failure(uva_task_t *task, uva_future_t *future, int r)
{
    const uva__extra_t *source = uva__future_has_extra(future);
    uva_error_t *error = source == NULL ? NULL : source->error;

    uva__task_set_error(task, r, uva_error_ref(error));
    if (error != NULL && task->extra != NULL) {
        task->extra->error_awaited = true;
    }
}

/* A record with another code is of an earlier failure. */
uva_error_t *uva__task_error_of(const uva_task_t *task, int code)
{
    uva_error_t *error = task->extra == NULL ? NULL : task->extra->error;

    return error != NULL && uva_error_code(error) == code ? error : NULL;
}

/* Every function that fails without a record returns by this: an older record
 * with the same code is no longer the task's. Words of a cancellation stay,
 * because the code UV_ECANCELED is passed on by calls that know nothing of it.
 */
int uva__bare(int code)
{
    uva_task_t *task = uva__task_current();

    if (task == NULL || code >= 0) {
        return code;
    }
    if (code != UV_ECANCELED) {
        uva__task_set_error(task, code, NULL);
    } else if (uva__task_error_of(task, code) != NULL) {
        task->extra->error_at = task->base.loop->ready.iterations;
    }
    return code;
}

/* The failure of the last call becomes the cause of this one, as Python sets
 * __context__. */
int uva_fail(int code, const char *format, ...)
{
    uva_task_t *task = uva__task_current();
    uva_error_t *cause;
    va_list list;
    char *text;

    if (!uva__code_fails(code)) {
        return uva__bare(UV_EINVAL);
    }
    if (task == NULL || format == NULL) {
        return uva__bare(code);
    }
    va_start(list, format);
    text = uva__vformat_new(format, list);
    va_end(list);
    cause = uva_error_ref(uva_task_error());
    uva__task_set_error(task, code, uva__error_new(code, text, cause));
    return code;
}

/* The record is kept as it is, with its cause and its members. */
int uva_raise(const uva_error_t *error)
{
    uva_task_t *task = uva__task_current();

    if (error == NULL) {
        return uva__bare(UV_EINVAL);
    }
    if (task != NULL) {
        uva__task_set_error(task, uva_error_code(error), uva_error_ref(error));
    }
    return uva_error_code(error);
}

/* The record of an earlier iteration belongs to a failure that the task has
 * dealt with. */
const uva_error_t *uva_task_error(void)
{
    uva_task_t *task = uva__task_current();

    return task == NULL || task->extra == NULL ||
                   task->extra->error_at != task->base.loop->ready.iterations
               ? NULL
               : task->extra->error;
}

/* Reading the record does not mark the failure as seen: only its code does. */
const uva_error_t *uva_future_error(const uva_future_t *future)
{
    const uva__extra_t *extra = uva__future_has_extra(future);

    if (extra == NULL || uva__future_pending(future)) {
        return NULL;
    }
    return extra->error;
}

/* asyncio: futures.py, Future._cancel_message. */
const char *uva_future_get_cancel_message(const uva_future_t *future)
{
    const uva__extra_t *extra = uva__future_has_extra(future);

    return extra == NULL || !uva_future_cancelled(future)
               ? NULL
               : uva__error_words(extra->error);
}

/* --- requests to cancel --- */

/* Without memory for the extra the request loses its words. */
void uva__task_set_request(uva_task_t *task, uva_error_t *words)
{
    uva__extra_t *extra =
        words == NULL ? task->extra : uva__future_extra(&task->base);
    uva_error_t *old;

    if (extra != NULL) {
        old = extra->request;
        extra->request = uva_error_ref(words);
        uva_error_unref(old);
    }
}

/* asyncio: tasks.py, Task.__step: _must_cancel becomes a CancelledError with
 * the message of the request. */
void uva__task_deliver_cancel(uva_task_t *task)
{
    uva_error_t *words;

    task->base.flags &= (uint16_t)~UVA__MUST_CANCEL;
    if (task->extra != NULL) {
        words = task->extra->request;
        task->extra->request = NULL;
        uva__task_set_error(task, UV_ECANCELED, words);
    }
}

void uva__task_drop_cancel(uva_task_t *task)
{
    task->base.flags &= (uint16_t)~UVA__MUST_CANCEL;
    uva__task_set_request(task, NULL);
}
