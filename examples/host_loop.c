/*
 * uva on the uv_loop_t of an application, which runs it and owns it. <uv.h>
 * wants POSIX from the C library.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <uv.h>

#include <uva.h>

/* What the application has of its own. */
typedef struct application_s {
    uv_loop_t host;
    uv_timer_t timer;
    uva_loop_t *loop;
    uva_task_t *task;
} application_t;

/* A task among the application's callbacks. */
static int work(void *arg, void **ret_result)
{
    application_t *application = arg;

    int r = uva_sleep(UVA_MS(5));
    if (r < 0) {
        return r;
    }
    printf("a task of uva\n");
    uv_close((uv_handle_t *)&application->timer, NULL);
    *ret_result = NULL;
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    application_t *application = timer->data;

    printf("a timer of the application\n");
    /* No loop of uva's runs here: the forms that name one work. */
    application->task =
        uva_loop_create_task(application->loop, work, application, NULL);
}

int main(void)
{
    application_t application = {0};

    uv_loop_init(&application.host);
    uv_timer_init(&application.host, &application.timer);
    application.timer.data = &application;
    if (uva_loop_attach(&application.host, NULL, &application.loop) < 0) {
        return 1;
    }
    uv_timer_start(&application.timer, on_timer, 5, 0);

    /* Ends when neither the application nor uva has anything left to do. */
    uv_run(&application.host, UV_RUN_DEFAULT);

    int r = uva_future_result(UVA_FUTURE(application.task), NULL);
    uva_task_unref(application.task);
    printf("result %d, loop closed: %d\n", r, uva_loop_close(application.loop));
    uva_loop_unref(application.loop);
    uv_run(&application.host, UV_RUN_DEFAULT); /* uva's handles close. */
    printf("host closed: %d\n", uv_loop_close(&application.host));
    return 0;
}
