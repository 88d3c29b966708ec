/*
 * The bodies of declared.h.
 */
#include "declared.h"

UVA_TASK_DEFINE(declared_stackful)
{
    int r = uva_sleep(UVA_MS(1));

    if (r < 0 || args->a < 0) {
        return r < 0 ? r : args->a;
    }
    ret->sum = args->a + args->b;
    ret->by = "stackful";
    return 0;
}

UVA_TASK_DEFINE(declared_nothing)
{
    *ret = 17;
    return 0;
}

UVA_STACKLESS_DEFINE(declared_stackless)
{
    int r;

    UVA_BEGIN
    UVA_YIELD(r);
    if (r < 0 || self->a < 0) {
        return r < 0 ? r : self->a;
    }
    UVA_END
    ret->sum = self->a + self->b;
    ret->by = "stackless";
    return 0;
}

UVA_STACKLESS_DEFINE(declared_stackless_nothing)
{
    (void)self;
    *ret = 18;
    return 0;
}
