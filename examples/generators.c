/*
 * Coroutines as generators: values out, values sent in, errors thrown in, and
 * one that hands everything on to another.
 */
#include <stdio.h>

#include <uva.h>

static void *number(long value)
{
    return (void *)(intptr_t)value;
}

/* Values out: 1, 2, ... up to its argument. */
static int count_up(void *arg, void **ret_result)
{
    long last = (long)(intptr_t)arg;

    for (long i = 1; i <= last; i++) {
        int r = uva_coroutine_yield(number(i), NULL);
        if (r < 0) {
            return r;
        }
    }
    *ret_result = number(100);
    return 0;
}

/* Values in: it hands out the sum of what it was sent. UV_EINVAL thrown in
 * begins a new sum, any other error ends it. */
static int add_up(void *arg, void **ret_result)
{
    long sum = 0;
    void *sent;

    (void)arg;
    (void)ret_result;
    for (;;) {
        int r = uva_coroutine_yield(number(sum), &sent);
        if (r == UV_EINVAL) {
            printf("a new sum\n");
            sum = 0;
        } else if (r < 0) {
            printf("ends with %s\n", uva_err_name(r));
            return r;
        } else {
            sum += (long)(intptr_t)sent;
        }
    }
}

/* Hands out what two others hand out, one after the other. */
static int both(void *arg, void **ret_result)
{
    (void)arg;
    for (long last = 2; last <= 3; last++) {
        uva_coroutine_t *inner;
        int r = uva_coroutine_new(count_up, number(last), NULL, &inner);
        if (r < 0) {
            return r;
        }
        r = uva_coroutine_delegate(inner, ret_result);
        uva_coroutine_unref(inner);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Resume with a value, or with an error if it is not 0, and tell what comes. */
static int resume(uva_coroutine_t *coroutine, long sent, int error)
{
    void *value = NULL;
    int r = error == 0 ? uva_coroutine_send(coroutine, number(sent), &value)
                       : uva_coroutine_throw(coroutine, error, &value);

    if (r == 1) {
        printf("handed out %ld\n", (long)(intptr_t)value);
    } else if (r == 0) {
        printf("finished with %ld\n", (long)(intptr_t)value);
    } else {
        printf("failed: %s\n", uva_err_name(r));
    }
    return r;
}

static int run_to_the_end(uva_coro_cb body, long argument)
{
    uva_coroutine_t *coroutine;
    int r = uva_coroutine_new(body, number(argument), NULL, &coroutine);
    if (r < 0) {
        return r;
    }
    while ((r = resume(coroutine, 0, 0)) == 1) {
    }
    resume(coroutine, 0, 0); /* Past its end: EALREADY. */
    uva_coroutine_unref(coroutine);
    return r;
}

static int send_and_throw(void)
{
    uva_coroutine_t *coroutine;
    int r = uva_coroutine_new(add_up, NULL, NULL, &coroutine);
    if (r < 0) {
        return r;
    }
    resume(coroutine, 0, 0); /* To its first yield. */
    resume(coroutine, 5, 0);
    resume(coroutine, 7, 0);
    resume(coroutine, 0, UV_EINVAL);
    resume(coroutine, 3, 0);
    resume(coroutine, 0, UV_EIO);
    uva_coroutine_unref(coroutine);
    return 0;
}

UVA_TASK(void, program)
{
    printf("-- values out\n");
    int r = run_to_the_end(count_up, 3);
    if (r < 0) {
        return r;
    }
    printf("-- values and errors in\n");
    r = send_and_throw();
    if (r < 0) {
        return r;
    }
    printf("-- handed on\n");
    return run_to_the_end(both, 0);
}

int main(void)
{
    return uva_main(program);
}
