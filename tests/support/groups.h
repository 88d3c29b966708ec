/*
 * What the tests of task groups share: children that sleep, fail and count,
 * and a look at the members of a group's failure.
 */
#ifndef TEST_GROUPS_H
#define TEST_GROUPS_H

#include "kinds.h"

KIND_TASK(int, foo, uint64_t delay_ns; int value; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    *ret = self->value;
    UVA_END
    return self->r;
}

/* Fails after a while, or with the code too when it is cancelled before. */
KIND_TASK(void, crash_after, uint64_t delay_ns; int code; bool always; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    if (self->r < 0 && !self->always) {
        return self->r;
    }
    UVA_END
    return self->code;
}

/* Adds to a number: so much if it was cancelled, so much if it was not. */
KIND_TASK(void, count, uint64_t delay_ns; int *number; int if_cancelled;
          int if_not;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    *self->number +=
        self->r == UV_ECANCELED ? self->if_cancelled : self->if_not;
    UVA_END
    return self->r;
}

/* Whether the members of a group have these codes, each at least once, and no
 * other. */
static inline bool error_types(const uva_error_t *error, int a, int b)
{
    bool has_a = false;
    bool has_b = b == 0;

    for (size_t i = 0; i < uva_error_member_count(error); i++) {
        int code = uva_error_code(uva_error_member(error, i));
        if (code != a && code != b) {
            return false;
        }
        has_a = has_a || code == a;
        has_b = has_b || code == b;
    }
    return uva_error_code(error) == UVA_EGROUP && has_a && has_b;
}

#endif /* TEST_GROUPS_H */
