/*
 * An addon of Node that has a guest on the event loop of its environment, the
 * main thread's or a Worker's. JavaScript calls the functions of guest.h by
 * their names, with numbers.
 *
 * Node exports the functions of its own libuv, and the addon's are bound to
 * those: the program comes first.
 */
#define NAPI_VERSION 8

#include "guest.h"

#include <stdlib.h>
#include <unistd.h>

#include <node_api.h>

enum {
    NUMBERS = 2
};

typedef struct addon_s {
    guest_t *guest; /* NULL once it has finished. */
    napi_env env;
    napi_ref answer;     /* The function of JavaScript's that a task asks. */
    uva_future_t *asked; /* What the task awaits then; borrowed from it. */
    uv_idle_t look;
    napi_async_cleanup_hook_handle hook;
} addon_t;

static addon_t *at_exit;

/* process.exit() in the main thread: the environment does not end, and nobody
 * turns the loop again. */
static void process_exits(void)
{
    if (at_exit != NULL && at_exit->guest != NULL) {
        guest_detach(at_exit->guest);
        if (guest_ended(at_exit->guest) != 0) {
            _exit(1);
        }
    }
}

static void look_closed(uv_handle_t *look)
{
    addon_t *addon = look->data;

    (void)napi_remove_async_cleanup_hook(addon->hook);
    at_exit = NULL;
    free(addon);
}

/* In each turn: whether the loop has let go of the guest. */
static void look_after(uv_idle_t *look)
{
    addon_t *addon = look->data;

    if (addon->guest != NULL && !guest_gone(addon->guest)) {
        return;
    }
    if (addon->guest != NULL && guest_finish(addon->guest) != 0) {
        _exit(1);
    }
    uv_close((uv_handle_t *)look, look_closed);
}

/* The environment ends, perhaps with a guest at work on its loop. A Worker
 * stops the process if it finds a handle there afterwards. */
static void environment_ends(napi_async_cleanup_hook_handle hook, void *data)
{
    addon_t *addon = data;

    addon->hook = hook;
    if (addon->guest != NULL && !guest_gone(addon->guest)) {
        guest_detach(addon->guest);
    }
    (void)uv_idle_start(&addon->look, look_after);
}

/* --- a task that calls JavaScript --- */

/* V8 knows where the stack of its thread is, and refuses to run on another. */
static void call_answer(void *data)
{
    addon_t *addon = data;
    napi_handle_scope scope;
    napi_value answer;
    napi_value global;

    (void)napi_open_handle_scope(addon->env, &scope);
    (void)napi_get_reference_value(addon->env, addon->answer, &answer);
    (void)napi_get_global(addon->env, &global);
    if (napi_make_callback(addon->env, NULL, global, answer, 0, NULL, NULL) !=
        napi_ok) {
        guest_fail(addon->guest, "JavaScript could not be called");
    }
    (void)napi_close_handle_scope(addon->env, scope);
}

static int ask(void *arg, void **ret_result)
{
    addon_t *addon = arg;
    uva_future_t *future = uva_create_future();
    void *value = NULL;
    int r;

    (void)ret_result;
    addon->asked = future;
    r = uva_call_on_thread_stack(call_answer, addon);
    if (r == 0) {
        r = uva_await(future, &value);
    }
    addon->asked = NULL;
    uva_future_unref(future);
    if (r == 0 && (intptr_t)value != 42) {
        guest_fail(addon->guest, "JavaScript gave another answer");
    }
    return r;
}

/* answer(): later it calls answered(42). */
static napi_value set_answer(napi_env env, napi_callback_info info)
{
    napi_value function;
    size_t count = 1;
    addon_t *addon;

    (void)napi_get_cb_info(env, info, &count, &function, NULL, (void **)&addon);
    (void)napi_create_reference(env, function, 1, &addon->answer);
    guest_work(addon->guest, ask, addon);
    return NULL;
}

/* --- what JavaScript calls --- */

typedef int (*addon_call_cb)(addon_t *addon, const int32_t *numbers);

static int call_answered(addon_t *addon, const int32_t *numbers)
{
    if (addon->asked != NULL) {
        (void)uva_future_set_result(addon->asked, (void *)(intptr_t)numbers[0],
                                    NULL);
    }
    return 0;
}

static int call_expect(addon_t *addon, const int32_t *numbers)
{
    return guest_expect(addon->guest, numbers[0]);
}

static int call_complete(addon_t *addon, const int32_t *numbers)
{
    guest_complete(addon->guest, numbers[0], numbers[1]);
    return 0;
}

static int call_cancel(addon_t *addon, const int32_t *numbers)
{
    guest_cancel(addon->guest, numbers[0]);
    return 0;
}

static int call_result(addon_t *addon, const int32_t *numbers)
{
    return guest_result(addon->guest, numbers[0]);
}

static int call_talk(addon_t *addon, const int32_t *numbers)
{
    guest_talk(addon->guest, numbers[0]);
    return 0;
}

static int call_port(addon_t *addon, const int32_t *numbers)
{
    (void)numbers;
    return guest_port(addon->guest);
}

static int call_ready(addon_t *addon, const int32_t *numbers)
{
    (void)numbers;
    return guest_ready(addon->guest);
}

static int call_leave(addon_t *addon, const int32_t *numbers)
{
    (void)numbers;
    guest_leave(addon->guest);
    return 0;
}

static int call_gone(addon_t *addon, const int32_t *numbers)
{
    (void)numbers;
    return guest_gone(addon->guest);
}

static int call_detach(addon_t *addon, const int32_t *numbers)
{
    (void)numbers;
    guest_detach(addon->guest);
    return 0;
}

static int call_finish(addon_t *addon, const int32_t *numbers)
{
    guest_t *guest = addon->guest;

    (void)numbers;
    addon->guest = NULL;
    return guest_finish(guest);
}

static const struct {
    const char *name;
    addon_call_cb call;
} calls[] = {
    {"expect", call_expect}, {"complete", call_complete},
    {"cancel", call_cancel}, {"result", call_result},
    {"talk", call_talk},     {"port", call_port},
    {"ready", call_ready},   {"leave", call_leave},
    {"gone", call_gone},     {"detach", call_detach},
    {"finish", call_finish}, {"answered", call_answered},
};

/* call(INDEX, NUMBER...): JavaScript's functions are made of it. */
static napi_value dispatch(napi_env env, napi_callback_info info)
{
    napi_value arguments[1 + NUMBERS];
    size_t count = 1 + NUMBERS;
    int32_t numbers[1 + NUMBERS] = {0};
    addon_t *addon;
    napi_value result = NULL;

    (void)napi_get_cb_info(env, info, &count, arguments, NULL, (void **)&addon);
    for (size_t i = 0; i < count && i < 1 + NUMBERS; i++) {
        (void)napi_get_value_int32(env, arguments[i], &numbers[i]);
    }
    (void)napi_create_int32(env, calls[numbers[0]].call(addon, numbers + 1),
                            &result);
    return result;
}

/* Node looks for it by this name. The macro that makes it has no prototype. */
GUEST_API napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
    addon_t *addon = calloc(1, sizeof *addon);
    uv_loop_t *loop;
    napi_value names;
    napi_value value;

    (void)napi_get_uv_event_loop(env, &loop);
    addon->guest = guest_attach(loop);
    if (addon->guest == NULL) {
        (void)napi_throw_error(env, NULL, "the guest does not attach");
        return exports;
    }
    at_exit = addon;
    addon->env = env;
    (void)atexit(process_exits);
    (void)uv_idle_init(loop, &addon->look);
    addon->look.data = addon;
    (void)napi_add_async_cleanup_hook(env, environment_ends, addon, NULL);
    (void)napi_create_array(env, &names);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        (void)napi_create_string_utf8(env, calls[i].name, NAPI_AUTO_LENGTH,
                                      &value);
        (void)napi_set_element(env, names, (uint32_t)i, value);
    }
    (void)napi_set_named_property(env, exports, "names", names);
    (void)napi_create_function(env, "call", NAPI_AUTO_LENGTH, dispatch, addon,
                               &value);
    (void)napi_set_named_property(env, exports, "call", value);
    (void)napi_create_function(env, "ask", NAPI_AUTO_LENGTH, set_answer, addon,
                               &value);
    (void)napi_set_named_property(env, exports, "ask", value);
    return exports;
}
