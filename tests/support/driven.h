/*
 * What tests of coroutines that are driven by hand share: small numbers as
 * values, a resume that is checked.
 */
#ifndef TEST_DRIVEN_H
#define TEST_DRIVEN_H

#include "uva_test.h"

static UVA_UNUSED int number_of(const void *value)
{
    return (int)(intptr_t)value;
}

static UVA_UNUSED void *value_of(intptr_t number)
{
    return (void *)number;
}

/* Resume, and check what comes out. */
static UVA_UNUSED void
check_send(uva_coroutine_t *coroutine, int sent, int r, int got)
{
    void *value = NULL;

    ck_assert_int_eq(uva_coroutine_send(coroutine, value_of(sent), &value), r);
    ck_assert_int_eq(number_of(value), got);
}

static UVA_UNUSED uva_coroutine_t *make(uva_coro_cb body, void *arg)
{
    uva_coroutine_t *coroutine = NULL;

    ck_assert_int_eq(uva_coroutine_new(body, arg, NULL, &coroutine), 0);
    ck_assert(!uva_coroutine_done(coroutine));
    return coroutine;
}

/* Passes on to the coroutine that arg is, and ends with its result. */
static UVA_UNUSED int delegates(void *arg, void **ret_result)
{
    int r = uva_coroutine_delegate(arg, ret_result);

    uva_coroutine_unref(arg);
    return r;
}

static UVA_UNUSED int sends_once(void *arg, void **ret_result)
{
    *ret_result = value_of(uva_coroutine_send(arg, NULL, NULL));
    return 0;
}

#endif /* TEST_DRIVEN_H */
