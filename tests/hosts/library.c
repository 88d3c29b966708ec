#include "library.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_MS = 20000
};

typedef struct application_s {
    uv_loop_t *loop; /* Freed before a guest of which the host goes first is
                        told: no call may look at it. */
    guest_t *guest;
    uv_timer_t timer;
    uv_timer_t limit;
    const char *order;
    bool closing;
    bool leaving;
} application_t;

static application_t app;

/* --- awaiting a callback --- */

uva_future_t *library_future(void)
{
    uva_future_t *future = uva_create_future();

    return future == NULL ? NULL : uva_future_ref(future);
}

void library_done(uva_future_t *take_future, int code, intptr_t value)
{
    if (code < 0) {
        (void)uva_future_set_exception(take_future, code, NULL);
    } else {
        (void)uva_future_set_result(take_future, (void *)value, NULL);
    }
    uva_future_unref(take_future);
}

int library_await(uva_future_t *take_future)
{
    void *value = NULL;
    int r = uva_await(take_future, &value);

    uva_future_unref(take_future);
    return r < 0 ? r : (int)(intptr_t)value;
}

/* --- the orders of teardown --- */

static bool order_is(const char *order)
{
    return strcmp(app.order, order) == 0;
}

static void close_any(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* The library is gone; the guest too, unless the host goes first. */
static void end(void)
{
    if (order_is("both")) {
        guest_leave(app.guest);
    }
    if (order_is("both") || order_is("host")) {
        uv_walk(app.loop, close_any, NULL);
    } else {
        uv_close((uv_handle_t *)&app.timer, NULL);
        uv_close((uv_handle_t *)&app.limit, NULL);
    }
}

/* Every millisecond: what is to be done next. */
static void step(uv_timer_t *timer)
{
    (void)timer;
    if (app.closing) {
        if (library.closed()) {
            end();
        }
        return;
    }
    if (!guest_ready(app.guest)) {
        return;
    }
    if (order_is("guest") && !app.leaving) {
        guest_leave(app.guest);
        app.leaving = true;
    }
    if (order_is("guest") && !guest_gone(app.guest)) {
        return;
    }
    if (order_is("detach")) {
        guest_detach(app.guest);
    }
    app.closing = true;
    library.close();
}

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    printf("FAIL: order %s: the work %s, the library %s\n", app.order,
           guest_ready(app.guest) ? "was done" : "hangs",
           library.closed() ? "was closed" : "is open");
    exit(1);
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* PROGRAM ORDER [PLACE] */
int main(int count, char **arguments)
{
    int open_before;
    int failures;
    int r;

    if (count < 2) {
        return 2;
    }
    app.order = arguments[1];
    app.loop = malloc(sizeof *app.loop);
    /* The first loop of a process leaves libuv's pipe for signals open. */
    if (app.loop == NULL || uv_loop_init(app.loop) < 0 ||
        uv_loop_close(app.loop) < 0) {
        return 2;
    }
    open_before = descriptors();
    if (uv_loop_init(app.loop) < 0) {
        return 2;
    }
    r = library.open(app.loop, count > 2 ? arguments[2] : NULL);
    if (r == UV_ENOTSUP) {
        printf("the library is installed without its part for libuv\n");
        return 77;
    }
    app.guest = r < 0 ? NULL : guest_attach(app.loop);
    if (app.guest == NULL) {
        printf("FAIL: the library or the guest does not start: %d\n", r);
        return 1;
    }
    library.work(app.guest);
    uv_timer_init(app.loop, &app.timer);
    uv_timer_start(&app.timer, step, 1, 1);
    uv_timer_init(app.loop, &app.limit);
    uv_timer_start(&app.limit, too_late, LIMIT_MS, 0);
    (void)uv_run(app.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(app.loop) != 0) {
        printf("FAIL: handles are left on the loop\n");
        uv_print_all_handles(app.loop, stdout);
        return 1;
    }
    free(app.loop);
    if (order_is("host")) {
        guest_detach(app.guest);
    }
    failures = guest_finish(app.guest);
    if (descriptors() != open_before) {
        printf("FAIL: descriptors were left open\n");
        failures++;
    }
    return failures == 0 ? 0 : 1;
}
