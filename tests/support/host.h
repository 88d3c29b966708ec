/*
 * An application's uv_loop_t with uva on it, for tests of attached loops: a
 * fixture that proves that the host is as it was, and a way to do something in
 * a callback of every kind of the host's handles.
 */
#ifndef TEST_HOST_H
#define TEST_HOST_H

#include "loops.h"

static uv_loop_t host;
static uva_loop_t *guest;

/* --- callbacks of each kind --- */

typedef struct host_call_s {
    void (*run)(void *data);
    void *data;
} host_call_t;

enum {
    HOST_CALLBACKS = 8
};

static inline void host_run(uv_handle_t *handle)
{
    const host_call_t *call = handle->data;

    call->run(call->data);
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static inline void host_timer_cb(uv_timer_t *timer)
{
    const host_call_t *call = timer->data;

    call->run(call->data);
}

static inline void host_timer_once(uv_timer_t *handle)
{
    host_run((uv_handle_t *)handle);
}

static inline void host_prepare_once(uv_prepare_t *handle)
{
    host_run((uv_handle_t *)handle);
}

static inline void host_check_once(uv_check_t *handle)
{
    host_run((uv_handle_t *)handle);
}

static inline void host_idle_once(uv_idle_t *handle)
{
    host_run((uv_handle_t *)handle);
}

static inline void host_async_once(uv_async_t *handle)
{
    host_run((uv_handle_t *)handle);
}

static inline void host_close_once(uv_handle_t *handle)
{
    const host_call_t *call = handle->data;

    call->run(call->data);
}

static void host_make(int kind, union uv_any_handle *handle, host_call_t *call)
{
    switch (kind) {
    case 0:
        uv_timer_init(&host, &handle->timer);
        uv_timer_start(&handle->timer, host_timer_once, 0, 0);
        break;
    case 1:
        uv_timer_init(&host, &handle->timer);
        uv_timer_start(&handle->timer, host_timer_once, 2, 0);
        break;
    case 2:
    case 3: /* The second is started before uva's own, and runs after it. */
        uv_prepare_init(&host, &handle->prepare);
        uv_prepare_start(&handle->prepare, host_prepare_once);
        break;
    case 4:
        uv_check_init(&host, &handle->check);
        uv_check_start(&handle->check, host_check_once);
        break;
    case 5:
        uv_idle_init(&host, &handle->idle);
        uv_idle_start(&handle->idle, host_idle_once);
        break;
    case 6:
        uv_async_init(&host, &handle->async, host_async_once);
        uv_async_send(&handle->async);
        break;
    default:
        uv_idle_init(&host, &handle->idle);
        uv_close(&handle->handle, host_close_once);
        break;
    }
    handle->handle.data = call;
}

static void host_detach(void)
{
    end_loop(guest);
    guest = NULL;
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}

/** Call run(&number) once in a callback of each kind of handle, one kind after
 * another, and turn the host until it has nothing to do. @return number. */
static UVA_UNUSED int in_each_callback(void (*run)(void *data))
{
    int number = 0;
    host_call_t call = {run, &number};

    for (int kind = 0; kind < HOST_CALLBACKS; kind++) {
        union uv_any_handle handle;
        if (kind == 3) {
            host_detach();
        }
        host_make(kind, &handle, &call);
        if (kind == 3) {
            ck_assert_int_eq(uva_loop_attach(&host, NULL, &guest), 0);
        }
        if (kind == 4) { /* No poll ends for a check handle alone. */
            (void)uv_run(&host, UV_RUN_NOWAIT);
        }
        ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    }
    return number;
}

/* --- callbacks and bodies --- */

static inline void complete_soon(void *data)
{
    (void)uva_future_set_result(data, NULL, NULL);
}

static inline int run_nested(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_loop_run_forever(guest);
}

/* --- the fixture --- */

static void host_setup(void)
{
    loops_setup();
    ck_assert_int_eq(uv_loop_init(&host), 0);
    ck_assert_int_eq(uva_loop_attach(&host, NULL, &guest), 0);
}

static void host_teardown(void)
{
    if (guest != NULL) {
        host_detach();
    }
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&host), 0); /* No handle of uva's is left. */
    loops_teardown();
}

#define UVA_HOST_TCASE(suite, name) host_case(UVA_TCASE(suite, name))
static inline TCase *host_case(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, host_setup, host_teardown);
    return tcase;
}

#endif /* TEST_HOST_H */
