/*
 * The threads floor as a service of a loop: the promises of the loop, and its
 * default executor.
 */
#ifndef UVA__THREADS_SERVICE_H
#define UVA__THREADS_SERVICE_H

#include "uva/promises.h"

#include "core/loop.h"
#include "core/services.h"

typedef struct uva__threads_s {
    uva__service_t service;
    uva_loop_t *loop;
    uva_list_t promises; /* Of uva_promise_t.link: those not done. */
} uva__threads_t;

/** The part of a loop, made when it is first needed. @retval UV_ENOMEM
 * @retval UV_EPERM The loop is closing. */
int uva__threads_get(uva_loop_t *loop, uva__threads_t **ret_threads);

#endif /* UVA__THREADS_SERVICE_H */
