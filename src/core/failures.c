/*
 * The error record of the running task: what uva_fail said, what was awaited.
 *
 * Invariant: extra->error is the record that goes with the last failure; it
 * becomes the task's if the body ends with its code.
 */
#include <stdarg.h>

#include "uva/errors.h"
#include "uva/taskgroups.h"

#include "base/alloc.h"
#include "base/errors.h"
#include "base/format.h"
#include "core/loop.h"

void uva__task_set_error(uva_task_t *task, uva_error_t *take_error)
{
    uva__extra_t *extra =
        take_error == NULL ? task->extra : uva__future_extra(&task->base);

    if (extra == NULL) {
        uva_error_unref(take_error);
        return;
    }
    uva_error_unref(extra->error);
    extra->error = take_error;
    extra->error_awaited = false;
}

void uva__task_note_failure(uva_task_t *task, uva_future_t *future)
{
    uva__extra_t *source = uva__future_has_extra(future);

    if (source == NULL ||
        (source->error == NULL && source->delivered == NULL)) {
        uva__task_set_error(task, NULL);
        return;
    }
    uva__task_set_error(task, uva_error_ref(source->error));
    if (task->extra != NULL) {
        task->extra->error_awaited = true;
    }
    if (source->delivered != NULL) {
        uva__extra_t *extra = uva__future_extra(&task->base);
        if (extra != NULL) {
            uva__text_set(&extra->delivered, source->delivered);
        }
    }
}

int uva_fail(int code, const char *format, ...)
{
    uva_task_t *task = uva__task_current();
    uva_error_t *cause;
    va_list list;
    char *text;

    if (!uva__code_fails(code)) {
        return UV_EINVAL;
    }
    if (task == NULL || format == NULL) {
        return code;
    }
    va_start(list, format);
    text = uva__vformat_new(format, list);
    va_end(list);
    cause = task->extra == NULL ? NULL : uva_error_ref(task->extra->error);
    uva__task_set_error(task, uva__error_new(code, text, cause));
    return code;
}

int uva_raise(const uva_error_t *error)
{
    uva_task_t *task = uva__task_current();

    if (error == NULL) {
        return UV_EINVAL;
    }
    if (task != NULL) {
        uva__task_set_error(task, uva_error_ref(error));
    }
    return uva_error_code(error);
}

const uva_error_t *uva_task_error(void)
{
    uva_task_t *task = uva__task_current();

    return task == NULL || task->extra == NULL ? NULL : task->extra->error;
}
